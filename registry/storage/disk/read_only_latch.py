"""The latch: once the disk has failed, nothing is written until an operator says so."""

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
# Made while the disk is well, so that tripping needs no free space: neither a file nor a block.
SPARE = "read-only.spare"
MARKER_BYTES = 4096
MAX_REASON = 1000

# A FIFO in a marker's place must not hold the start up, nor the tripping of the latch.
_SAFE = regular_file.FLAGS


class Syscalls(Protocol):
    """The calls that make a marker: of ``os``, or a test's own."""

    def open(self, path: str, flags: int, mode: int = ..., *, dir_fd: int | None = ...) -> int: ...

    def pwritev(self, fd: int, buffers: Sequence[bytes], offset: int, /) -> int: ...

    def fsync(self, fd: int) -> None: ...

    def rename(
        self, src: str, dst: str, *, src_dir_fd: int | None = ..., dst_dir_fd: int | None = ...
    ) -> None: ...

    def unlink(self, path: str, *, dir_fd: int | None = ...) -> None: ...


class Latch:
    """Tripped by the first failure, for good: a file in the root says so to the next process.

    That file's name is what counts; why is written into it if the disk takes it.  Only where
    the disk takes no change at all does the next process have to meet the failure itself.
    Without a directory it is kept in memory alone.
    """

    def __init__(self, directory: int | None = None, system: Syscalls = os) -> None:
        self._marker = None if directory is None else Marker(directory, system)
        self._lock = threading.Lock()
        self.reason: str | None = None
        if self._marker is not None:
            self.reason = self._marker.read()
            if self.reason is None:
                self._prepare(self._marker)

    def check(self) -> None:
        """Raise StorageLatched once tripped."""
        if self.reason is not None:
            raise RegistryReadOnly(self.reason)

    def trip(self, reason: str) -> None:
        """Refuse from now on; the first reason stays.  From any thread."""
        with self._lock:
            if self.reason is not None:
                return
            self.reason = reason[:MAX_REASON]
            log.critical("read-only from now on: the disk failed", extra={"reason": self.reason})
            if self._marker is not None:
                self._mark(self._marker, self.reason)

    def reset(self) -> str | None:
        """Allow writing again; why it was not allowed, or None if it was.

        Raises OSError, and stays tripped, if the disk still does not take a file.
        """
        with self._lock:
            if self.reason is not None and self._marker is not None:
                try:
                    self._marker.remove()
                except OSError:
                    self._mark(self._marker, self.reason)
                    raise
            reason, self.reason = self.reason, None
            return reason

    def _prepare(self, marker: Marker) -> None:
        try:
            marker.prepare()
        except OSError as error:
            log.warning("no spare marker could be made", extra={"error": str(error)})

    def _mark(self, marker: Marker, reason: str) -> None:
        try:
            marker.write(reason)
        except OSError as error:
            # The disk has failed, after all.
            log.critical("the read-only marker is not durable", extra={"error": str(error)})


class Marker:
    """The file in a root that says that it is read-only, and the spare that it is made of."""

    def __init__(self, directory: int, system: Syscalls) -> None:
        self._directory = directory
        self._system = system

    def read(self) -> str | None:
        """The reason; None without a marker.  One that cannot be read is one."""
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
        """Have a spare, durably, with every block that a reason can need."""
        with contextlib.suppress(FileNotFoundError):
            found = os.stat(SPARE, dir_fd=self._directory, follow_symlinks=False)
            if stat.S_ISREG(found.st_mode) and found.st_size == MARKER_BYTES:
                return
        self._fill(SPARE, "")
        self._system.fsync(self._directory)

    def write(self, reason: str) -> None:
        """Make the spare the marker; without one, a new file.

        Raises OSError where some of it is not durable, having done the rest.
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
        """Show with a new spare that the disk takes a file again, then forget that it did not."""
        with contextlib.suppress(FileNotFoundError):
            self._system.unlink(SPARE, dir_fd=self._directory)
        self._fill(SPARE, "")
        self._system.unlink(MARKER, dir_fd=self._directory)
        self._system.fsync(self._directory)

    def _fill(self, name: str, text: str) -> None:
        """Write a file in place, to its whole length, and sync it."""
        content = text.encode(errors="replace")[: MARKER_BYTES - 1].ljust(MARKER_BYTES, b"\n")
        flags = os.O_WRONLY | os.O_CREAT | _SAFE
        fd = self._system.open(name, flags, 0o600, dir_fd=self._directory)
        try:
            if self._system.pwritev(fd, [content], 0) != MARKER_BYTES:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self._system.fsync(fd)
        finally:
            os.close(fd)
