"""Link or copy files of layers, and copy attributes of directories."""

import errno
import os
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path

from runner.storage.files.xattrs import file_xattrs, set_xattrs


def link_or_copy(source: Path, place: Path) -> None:
    """Hard-link a file of a layer, or copy it where a link is impossible."""
    try:
        os.link(source, place, follow_symlinks=False)
    except OSError as error:
        if error.errno not in {errno.EXDEV, errno.EMLINK}:
            raise
        _copy(source, place)


def _copy(source: Path, place: Path) -> None:
    """A file of its own; of a device or a FIFO another node: nothing is read from what it is."""
    found = source.lstat()
    if stat.S_ISREG(found.st_mode) or stat.S_ISLNK(found.st_mode):
        shutil.copy2(source, place, follow_symlinks=False)
        os.chown(place, found.st_uid, found.st_gid, follow_symlinks=False)
        return
    os.mknod(place, stat.S_IFMT(found.st_mode) | 0o600, found.st_rdev)
    os.chown(place, found.st_uid, found.st_gid)
    os.chmod(place, found.st_mode & 0o7777)
    os.utime(place, ns=(found.st_mtime_ns, found.st_mtime_ns))


def copy_attributes(source: Path, found: os.stat_result, place: Path) -> None:
    """Copy owner, mode, xattrs and times of a directory, whose ``stat`` is given."""
    os.chown(place, found.st_uid, found.st_gid)
    os.chmod(place, found.st_mode & 0o7777)
    set_directory_xattrs(place, file_xattrs(str(source)))
    os.utime(place, ns=(found.st_mtime_ns, found.st_mtime_ns))


def set_directory_xattrs(place: Path, xattrs: Mapping[str, bytes]) -> None:
    descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        set_xattrs(descriptor, xattrs)
    finally:
        os.close(descriptor)
