"""Durable, atomic writes: sync, rename, sync the directory."""

import ctypes
import fcntl
import os
import struct
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from runner.linux.syscalls import check, libc

_FS_IOC_GETFLAGS: Final = 0x80086601
_FS_IOC_SETFLAGS: Final = 0x40086602
_TOPDIR_FLAG: Final = 0x00020000

_syncfs = libc.syncfs
_syncfs.argtypes = (ctypes.c_int,)


@contextmanager
def open_directory(path: Path) -> Iterator[int]:
    """A descriptor of the directory, which means the same directory even if that is renamed."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def sync_directory(path: Path) -> None:
    """Make the directory's entries durable."""
    with open_directory(path) as descriptor:
        os.fsync(descriptor)


def sync_filesystem(path: Path) -> None:
    """Make everything written so far to the filesystem that holds ``path`` durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        check(_syncfs(descriptor), path)
    finally:
        os.close(descriptor)


def publish(temporary: Path, place: Path) -> None:
    """Rename a synced file or a finished directory to its final path, durably."""
    os.rename(temporary, place)
    # Rename, then sync the directory: without the second, a crash can forget the first.
    sync_directory(place.parent)


def write_atomically(place: Path, content: bytes) -> None:
    """Replace a small file: readers and crashes see the old content or the new."""
    temporary = place.with_name(f".{place.name}.{uuid.uuid4().hex}")
    with open(temporary, "xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    publish(temporary, place)


def spread_children(directory: Path) -> None:
    """Ask ext4 to give each new child directory a block group of its own (chattr +T).

    ext4 does not reuse an inode for minutes after its deletion, and skips each such inode at
    every create.  In the block group of a removed layer, unpacking 10,000 files took 8.6 s
    instead of 0.4 s.  Other filesystems refuse the flag, and do not need it.
    """
    with open_directory(directory) as descriptor, suppress(OSError):
        (flags,) = struct.unpack("l", fcntl.ioctl(descriptor, _FS_IOC_GETFLAGS, bytes(8)))
        if not flags & _TOPDIR_FLAG:
            wanted = struct.pack("l", flags | _TOPDIR_FLAG)
            fcntl.ioctl(descriptor, _FS_IOC_SETFLAGS, wanted)
