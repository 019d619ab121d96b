"""File operations: every change of a file goes through here, and failures are reported."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from typing import Protocol

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW

# The device or the file system has failed; what is on it can no longer be trusted to be there.
FATAL = frozenset({errno.EIO, errno.EROFS, errno.EUCLEAN})
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})

Buffer = bytes | memoryview

# Called with the failed operation when the disk itself is at fault.
OnDiskError = Callable[[str, OSError], None]


class Syscalls(Protocol):
    """The calls of the operating system that change files: ``os``, or a test's own."""

    def open(self, path: str, flags: int, mode: int = ..., *, dir_fd: int | None = ...) -> int: ...

    def pwritev(self, fd: int, buffers: Sequence[Buffer], offset: int, /) -> int: ...

    def ftruncate(self, fd: int, length: int, /) -> None: ...

    def fsync(self, fd: int) -> None: ...

    def fchmod(self, fd: int, mode: int) -> None: ...

    def rename(
        self, src: str, dst: str, *, src_dir_fd: int | None = ..., dst_dir_fd: int | None = ...
    ) -> None: ...

    def unlink(self, path: str, *, dir_fd: int | None = ...) -> None: ...

    def mkdir(self, path: str, mode: int = ..., *, dir_fd: int | None = ...) -> None: ...


def ignore(call: str, error: OSError) -> None:
    """For file operations that nobody watches."""


class FileOps:
    """Every change of a file goes through here.  Paths are relative to a directory.

    Each call raises what the system raises.  Before that, it reports an error that
    is the disk's own, and of a sync that failed for anything but want of room: the kernel may
    have dropped the bytes, and a second sync would say that all is well.
    """

    def __init__(self, on_disk_error: OnDiskError = ignore, system: Syscalls = os) -> None:
        self._on_disk_error = on_disk_error
        self._system = system

    def create(self, directory: int, path: str) -> int:
        """A new file, open; FileExistsError if there is one."""
        try:
            return self._system.open(path, NEW, 0o600, dir_fd=directory)
        except OSError as error:
            raise self._report("create", error) from None

    def make_directory(self, directory: int, path: str) -> None:
        try:
            self._system.mkdir(path, 0o700, dir_fd=directory)
        except OSError as error:
            raise self._report("make directory", error) from None

    def write(self, fd: int, chunks: Sequence[Buffer], offset: int) -> int:
        """Hot path: write every byte of the chunks, without joining them; how many that was."""
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
        """Return when everything in the file is durable.  Never to be tried again."""
        try:
            self._system.fsync(fd)
        except OSError as error:
            # Where room is only sought when bytes go out, a full disk shows here: no failure.
            if error.errno not in FULL:
                self._on_disk_error("sync", error)
            raise

    def seal(self, fd: int) -> None:
        """Nobody writes to this file any more."""
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
        """Remove a file; one that is not there is not an error."""
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
