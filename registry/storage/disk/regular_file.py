"""Regular files: opened without waiting for anybody, and refused if they are anything else.

Opening a FIFO waits for its other end, opening a link leads out of the root, and a device may
do anything.  Every file of a root that is there already is opened through here.

https://man7.org/linux/man-pages/man2/open.2.html
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

# O_NONBLOCK has no effect on a regular file's reads and writes.
FLAGS = os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC

PART = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

# What ``open`` says of a link, of a socket or of a FIFO that nobody reads, of a directory.
_OTHER = frozenset({errno.ELOOP, errno.ENXIO, errno.EISDIR})


class NotRegular(OSError):
    """Something else has the name of a file: a FIFO, a link, a directory, a device."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(errno.EINVAL, "not a regular file", os.fspath(path))


class DirectoryUnusable(OSError):
    """The directory of a file is missing, or something else has its name: a link, a file."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(errno.ENOTDIR, f"its directory {path} {problem}", path)


def open_regular(
    path: str | os.PathLike[str], access: int, *, directory: int | None = None, mode: int = 0o600
) -> int:
    """Open a regular file, relative to ``directory`` where there is one; the descriptor.

    ``access`` is O_RDONLY, O_WRONLY or O_RDWR, with O_CREAT if need be.  Raises NotRegular for
    anything that is no regular file, DirectoryUnusable where a directory on the way below
    ``directory`` is none, and what ``os.open`` raises.
    """
    with parent_of(os.fspath(path), directory) as (parent, name):
        try:
            fd = os.open(name, access | FLAGS, mode, dir_fd=parent)
        except OSError as error:
            if error.errno in _OTHER:
                raise NotRegular(path) from None
            raise
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise NotRegular(path)
    return fd


def size_of(path: str, directory: int) -> int | None:
    """A regular file's size in bytes; None if there is none, or something else in its place.

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
    """The directory of a path, open, and the last name: no link on the way is followed.

    Without ``directory`` the path is whole, and the caller's own: it is taken as it is.
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
