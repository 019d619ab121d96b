"""The latch: after a disk failure nothing is written until `registry unlatch`."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import stat
import threading
from collections.abc import Sequence
from typing import Protocol

from registry.errors import RegistryReadOnly
from registry.storage.disk import regular_file

log = logging.getLogger(__name__)

MARKER = "read-only"
# Created in advance, so that tripping needs no free inode or block.
SPARE = "read-only.spare"
MARKER_BYTES = 4096
MAX_REASON = 1000

# A FIFO in a marker's place must not block the start or the tripping of the latch.
_SAFE = regular_file.FLAGS


class Syscalls(Protocol):
    """The system calls that write a marker: ``os``, or a test's own."""

    def open(self, path: str, flags: int, mode: int = ..., *, dir_fd: int | None = ...) -> int: ...

    def pwritev(self, fd: int, buffers: Sequence[bytes], offset: int, /) -> int: ...

    def fsync(self, fd: int) -> None: ...

    def rename(
        self, src: str, dst: str, *, src_dir_fd: int | None = ..., dst_dir_fd: int | None = ...
    ) -> None: ...

    def unlink(self, path: str, *, dir_fd: int | None = ...) -> None: ...


class Latch:
    """Tripped by the first failure; a marker file in the root keeps it tripped after a restart.

    The marker's existence counts; the reason is written into it if possible.  If the disk accepts
    no change at all, only the next process's own failure trips its latch.
    """

    def __init__(self, directory: int, system: Syscalls = os) -> None:
        self._marker = Marker(directory, system)
        self._lock = threading.Lock()
        self.reason = self._marker.read()
        if self.reason is None:
            self._prepare()

    def check(self) -> None:
        """Raise RegistryReadOnly once tripped."""
        if self.reason is not None:
            raise RegistryReadOnly(self.reason)

    def trip(self, reason: str) -> None:
        """Refuse writes from now on; the first reason is kept.  Thread-safe."""
        with self._lock:
            if self.reason is not None:
                return
            self.reason = reason[:MAX_REASON]
            log.critical("read-only from now on: the disk failed", extra={"reason": self.reason})
            self._mark(self.reason)

    def reset(self) -> str | None:
        """Allow writes again; returns the reason it was tripped, or None if it was not.

        Raises OSError, and stays tripped, if a file still cannot be written.
        """
        with self._lock:
            if self.reason is not None:
                try:
                    self._marker.remove()
                except OSError:
                    self._mark(self.reason)
                    raise
            reason, self.reason = self.reason, None
            return reason

    def _prepare(self) -> None:
        try:
            self._marker.prepare()
        except OSError as error:
            log.warning("no spare marker could be made", extra={"error": str(error)})

    def _mark(self, reason: str) -> None:
        try:
            self._marker.write(reason)
        except OSError as error:
            # Expected: the disk has failed.
            log.critical("the read-only marker is not durable", extra={"error": str(error)})


class Marker:
    """The marker file that makes a root read-only, and the spare file it is made from."""

    def __init__(self, directory: int, system: Syscalls) -> None:
        self._directory = directory
        self._system = system

    def read(self) -> str | None:
        """The reason, "unknown" if the marker is unreadable; None without a marker."""
        try:
            fd = os.open(MARKER, os.O_RDONLY | _SAFE, dir_fd=self._directory)
        except FileNotFoundError:
            return None
        except OSError as error:
            return f"unknown: {error.strerror}"
        try:
            text = os.pread(fd, MARKER_BYTES, 0).decode(errors="replace").strip()
        except OSError as error:
            return f"unknown: {error.strerror}"
        finally:
            os.close(fd)
        return text or "unknown"

    def prepare(self) -> None:
        """Create the spare, durably, with all blocks that a reason needs."""
        with contextlib.suppress(FileNotFoundError):
            found = os.stat(SPARE, dir_fd=self._directory, follow_symlinks=False)
            if stat.S_ISREG(found.st_mode) and found.st_size == MARKER_BYTES:
                return
        self._fill(SPARE, "")
        self._system.fsync(self._directory)

    def write(self, reason: str) -> None:
        """Rename the spare to the marker, or create it if there is no spare.

        Raises OSError if a step fails, after trying the others.
        """
        with contextlib.suppress(OSError):
            self._system.rename(
                SPARE, MARKER, src_dir_fd=self._directory, dst_dir_fd=self._directory
            )
        try:
            self._fill(MARKER, reason)
        finally:
            self._system.fsync(self._directory)

    def remove(self) -> None:
        """Write a new spare, which shows that the disk works again, then remove the marker."""
        with contextlib.suppress(FileNotFoundError):
            self._system.unlink(SPARE, dir_fd=self._directory)
        self._fill(SPARE, "")
        self._system.unlink(MARKER, dir_fd=self._directory)
        self._system.fsync(self._directory)

    def _fill(self, name: str, text: str) -> None:
        """Write a file in place, at its full length, and sync it."""
        content = text.encode(errors="replace")[: MARKER_BYTES - 1].ljust(MARKER_BYTES, b"\n")
        flags = os.O_WRONLY | os.O_CREAT | _SAFE
        fd = self._system.open(name, flags, 0o600, dir_fd=self._directory)
        try:
            if self._system.pwritev(fd, [content], 0) != MARKER_BYTES:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self._system.fsync(fd)
        finally:
            os.close(fd)
