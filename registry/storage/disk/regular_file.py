"""Regular files: opened without blocking, and refused if they are of another type.

Opening a FIFO blocks until its other end is open, a symbolic link leads out of the root, and
opening a device can have any effect.  Every existing file of a root is opened through here.

https://man7.org/linux/man-pages/man2/open.2.html
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from registry.storage.disk.openat2 import open_below

# O_NONBLOCK has no effect on a regular file's reads and writes.
FLAGS = os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC

PART = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

# Errors of ``open`` for a symbolic link, a socket or FIFO without a reader, and a directory.
_OTHER = frozenset({errno.ELOOP, errno.ENXIO, errno.EISDIR})


class NotRegular(OSError):
    """The path is a FIFO, a link, a directory or a device."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(errno.EINVAL, "not a regular file", os.fspath(path))


class DirectoryUnusable(OSError):
    """The directory of a file is missing, or is a link or a file."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(errno.ENOTDIR, f"its directory {path} {problem}", path)


def open_regular(
    path: str | os.PathLike[str], access: int, *, directory: int | None = None, mode: int = 0o600
) -> int:
    """Open a regular file, relative to ``directory`` if given; returns the descriptor.

    ``access`` is O_RDONLY, O_WRONLY or O_RDWR, with O_CREAT if need be.  Raises NotRegular for
    anything that is no regular file, DirectoryUnusable where a directory on the way below
    ``directory`` is none, and what ``os.open`` raises.
    """
    return open_with_status(path, access, directory=directory, mode=mode)[0]


def open_with_status(
    path: str | os.PathLike[str], access: int, *, directory: int | None = None, mode: int = 0o600
) -> tuple[int, os.stat_result]:
    """``open_regular``, with what ``os.fstat`` says of the file."""
    fd = None
    if directory is not None and not access & os.O_CREAT:
        # One call instead of three: at each, a thread may have to wait for another one's turn.
        fd = open_below(directory, os.fspath(path), access | FLAGS)
    if fd is None:
        fd = _open_in_steps(path, access, directory, mode)
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        os.close(fd)
        raise NotRegular(path)
    return fd, status


def open_cached(path: str, directory: int) -> tuple[int, os.stat_result] | None:
    """Open a regular file to read it, if that does not block: its first byte is in memory too.

    None if it might block, or if anything else is there: ``open_with_status`` says which.
    """
    fd = open_below(directory, path, os.O_RDONLY | FLAGS, only_cached=True)
    if fd is None:
        return None
    try:
        status = os.fstat(fd)
        if stat.S_ISREG(status.st_mode):
            os.preadv(fd, [bytearray(1)], 0, os.RWF_NOWAIT)
            return fd, status
    except OSError:  # EAGAIN, or a file system without RWF_NOWAIT
        pass
    os.close(fd)
    return None


def _open_in_steps(
    path: str | os.PathLike[str], access: int, directory: int | None, mode: int
) -> int:
    """Open each directory on the way: an error names the one that is at fault."""
    with parent_of(os.fspath(path), directory) as (parent, name):
        try:
            return os.open(name, access | FLAGS, mode, dir_fd=parent)
        except OSError as error:
            if error.errno in _OTHER:
                raise NotRegular(path) from None
            raise


def size_of(path: str, directory: int) -> int | None:
    """A regular file's size in bytes; None if it is missing or of another type.

    Raises DirectoryUnusable, as ``open_regular`` does.
    """
    with parent_of(path, directory) as (parent, name):
        try:
            found = os.stat(name, dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            return None
        return found.st_size if stat.S_ISREG(found.st_mode) else None


@contextmanager
def parent_of(path: str, directory: int | None) -> Iterator[tuple[int | None, str]]:
    """The open directory of a path, and its last name; symbolic links are not followed.

    Without ``directory`` the path is used unchanged.
    """
    *parts, name = path.split("/")
    if directory is None or not parts:
        yield directory, path
        return
    fd = open_part(directory, parts[0], path)
    try:
        for part in parts[1:]:
            above, fd = fd, open_part(fd, part, path)
            os.close(above)
        yield fd, name
    finally:
        os.close(fd)


def open_part(directory: int, name: str, path: str) -> int:
    where = path.rpartition("/")[0]
    try:
        return os.open(name, PART, dir_fd=directory)
    except FileNotFoundError:
        raise DirectoryUnusable(where, "is missing") from None
    except NotADirectoryError:
        raise DirectoryUnusable(where, "is no directory") from None
