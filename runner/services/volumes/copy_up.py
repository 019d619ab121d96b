"""Copy-up: copy an image's content at a mount target into a new volume.

The source is a rootfs without processes yet, resolved by openat2 (CVE-2022-23648).
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from runner.linux.openat2 import open_in_root
from runner.storage.files.walk import Entry, walk
from runner.storage.files.xattrs import file_xattrs, set_xattrs

_CHUNK: Final = 1 << 24
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def resolve_in_rootfs(rootfs: Path, target: str) -> Iterator[Path | None]:
    """Resolve ``target`` inside a rootfs to a directory, following symlinks inside it; or None.

    The resulting path has no symlinks; it is valid while the rootfs does not change.
    """
    root = os.open(rootfs, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    found = None
    try:
        with suppress(FileNotFoundError, NotADirectoryError):
            found = open_in_root(root, target, os.O_PATH | os.O_DIRECTORY)
        yield None if found is None else Path(os.readlink(f"/proc/self/fd/{found}"))
    finally:
        os.close(root)
        if found is not None:
            os.close(found)


def copy_tree(source: Path, destination: Path) -> None:
    """Copy a tree with owners, modes, times, hard links and xattrs; ``destination`` must not exist.

    Sockets are skipped: without a listening process they are useless.
    """
    destination.mkdir(mode=0o700)
    into = os.open(destination, _DIRECTORY)
    try:
        links: dict[tuple[int, int], bytes] = {}
        directories: list[tuple[bytes, os.stat_result]] = [(b".", source.stat())]
        for entry in walk(source):
            _copy_entry(entry, into, links)
            if stat.S_ISDIR(entry.stat.st_mode):
                directories.append((entry.path, entry.stat))
        # Children first: each new file changes its directory's time.
        for path, found in reversed(directories):
            _apply_metadata(into, path, found)
    finally:
        os.close(into)


def _copy_entry(entry: Entry, into: int, links: dict[tuple[int, int], bytes]) -> None:
    mode, identity = entry.stat.st_mode, (entry.stat.st_dev, entry.stat.st_ino)
    if stat.S_ISDIR(mode):
        os.mkdir(entry.path, 0o700, dir_fd=into)
        _copy_xattrs(entry, into)
        return
    if entry.stat.st_nlink > 1 and identity in links:
        # Not followed: of a symlink that an image links twice, this host has the target.
        os.link(
            links[identity],
            entry.path,
            src_dir_fd=into,
            dst_dir_fd=into,
            follow_symlinks=False,
        )
        return
    links[identity] = entry.path
    if stat.S_ISLNK(mode):
        target = os.readlink(entry.name, dir_fd=entry.directory)
        os.symlink(target, entry.path, dir_fd=into)
    elif stat.S_ISREG(mode):
        _copy_file(entry, into)
    elif stat.S_ISFIFO(mode):
        os.mkfifo(entry.path, 0o600, dir_fd=into)
    elif stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        os.mknod(entry.path, stat.S_IFMT(mode) | 0o600, entry.stat.st_rdev, dir_fd=into)
    else:
        return
    _apply_metadata(into, entry.path, entry.stat)
    if stat.S_ISREG(mode):
        # After the owner: chown removes file capabilities.
        _copy_xattrs(entry, into)


def _copy_file(entry: Entry, into: int) -> None:
    flags = os.O_NOFOLLOW | os.O_CLOEXEC
    reading = os.open(entry.name, os.O_RDONLY | flags, dir_fd=entry.directory)
    try:
        writing = os.open(
            entry.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | flags, 0o600, dir_fd=into
        )
        try:
            while os.sendfile(writing, reading, None, _CHUNK):
                continue
        finally:
            os.close(writing)
    finally:
        os.close(reading)


def _copy_xattrs(entry: Entry, into: int) -> None:
    xattrs = file_xattrs(entry.reachable)
    if not xattrs:
        return
    opened = os.open(entry.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=into)
    try:
        set_xattrs(opened, xattrs)
    finally:
        os.close(opened)


def _apply_metadata(into: int, path: bytes, found: os.stat_result) -> None:
    """Set owner, then mode, then times: each changes part of the following ones."""
    os.chown(path, found.st_uid, found.st_gid, dir_fd=into, follow_symlinks=False)
    if not stat.S_ISLNK(found.st_mode):
        os.chmod(path, stat.S_IMODE(found.st_mode), dir_fd=into)
    times = (found.st_atime_ns, found.st_mtime_ns)
    os.utime(path, ns=times, dir_fd=into, follow_symlinks=False)
