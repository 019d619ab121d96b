"""File operations: every change of a file in the store, with disk failures reported."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from typing import Protocol

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW

# The device or the file system has failed: stored data may be lost.
FATAL = frozenset({errno.EIO, errno.EROFS, errno.EUCLEAN})
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})

Buffer = bytes | memoryview

# Called with the failed operation when the disk itself is at fault.
OnDiskError = Callable[[str, OSError], None]


class Syscalls(Protocol):
    """The system calls that change files: ``os``, or a test's own."""

    def open(self, path: str, flags: int, mode: int = ..., *, dir_fd: int | None = ...) -> int: ...

    def pwritev(self, fd: int, buffers: Sequence[Buffer], offset: int, /) -> int: ...

    def ftruncate(self, fd: int, length: int, /) -> None: ...

    def fsync(self, fd: int) -> None: ...

    def fchmod(self, fd: int, mode: int) -> None: ...

    def rename(
        self, src: str, dst: str, *, src_dir_fd: int | None = ..., dst_dir_fd: int | None = ...
    ) -> None: ...

    def unlink(self, path: str, *, dir_fd: int | None = ...) -> None: ...


class FileOps:
    """Changes files; paths are relative to a directory's descriptor.

    Each call raises the system's OSError.  Before that it reports an error of the disk itself, and
    any failed sync except on a full disk: the kernel may have dropped the bytes, and a second fsync
    would succeed.
    """

    def __init__(self, on_disk_error: OnDiskError, system: Syscalls = os) -> None:
        self._on_disk_error = on_disk_error
        self._system = system

    def create(self, directory: int, path: str) -> int:
        """Create and open a file; raises FileExistsError."""
        try:
            return self._system.open(path, NEW, 0o600, dir_fd=directory)
        except OSError as error:
            raise self._report("create", error) from None

    def make_directory(self, directory: int, path: str) -> None:
        try:
            os.mkdir(path, 0o700, dir_fd=directory)
        except OSError as error:
            raise self._report("make directory", error) from None

    def write(self, fd: int, chunks: Sequence[Buffer], offset: int) -> int:
        """Write all chunks, without joining them; returns the number of bytes."""
        buffers: list[Buffer] = list(chunks)
        total = 0
        try:
            while buffers:
                written = self._system.pwritev(fd, buffers, offset + total)
                total += written
                while buffers and written >= len(buffers[0]):
                    written -= len(buffers.pop(0))
                if written:
                    buffers[0] = memoryview(buffers[0])[written:]
        except OSError as error:
            raise self._report("write", error) from None
        return total

    def truncate(self, fd: int, length: int) -> None:
        try:
            self._system.ftruncate(fd, length)
        except OSError as error:
            raise self._report("truncate", error) from None

    def sync(self, fd: int) -> None:
        """Return when the file's content is durable.  Must not be retried after a failure."""
        try:
            self._system.fsync(fd)
        except OSError as error:
            # With delayed allocation a full disk shows only at fsync: not a failure of the disk.
            if error.errno not in FULL:
                self._on_disk_error("sync", error)
            raise

    def seal(self, fd: int) -> None:
        """Make the file read-only (mode 0444)."""
        try:
            self._system.fchmod(fd, 0o444)
        except OSError as error:
            raise self._report("seal", error) from None

    def rename(self, directory: int, source: str, target: str) -> None:
        try:
            self._system.rename(source, target, src_dir_fd=directory, dst_dir_fd=directory)
        except OSError as error:
            raise self._report("rename", error) from None

    def sync_directory(self, directory: int, path: str) -> None:
        """Return when the names in a directory are durable."""
        fd = os.open(path, DIRECTORY, dir_fd=directory)
        try:
            self.sync(fd)
        finally:
            os.close(fd)

    def unlink(self, directory: int, path: str) -> None:
        """Remove a file; a missing one is no error."""
        try:
            self._system.unlink(path, dir_fd=directory)
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._report("unlink", error) from None

    def _report(self, call: str, error: OSError) -> OSError:
        if error.errno in FATAL:
            self._on_disk_error(call, error)
        return error
