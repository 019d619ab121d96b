"""The latch: once the disk has failed, nothing is written until an operator says so."""

from __future__ import annotations

import logging
import os
import threading

from registry.errors import StorageLatched

log = logging.getLogger(__name__)

MARKER = "read-only"
MAX_REASON = 1000


class Latch:
    """Closed by the first failure, for good: a file in the root says so to the next process.

    Without a directory it is kept in memory alone.
    """

    def __init__(self, directory: int | None = None) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self.reason = None if directory is None else read_marker(directory)

    def check(self) -> None:
        """Raise StorageLatched once closed."""
        if self.reason is not None:
            raise StorageLatched(self.reason)

    def close(self, reason: str) -> None:
        """Refuse from now on; the first reason stays.  From any thread."""
        with self._lock:
            if self.reason is not None:
                return
            self.reason = reason[:MAX_REASON]
            log.critical("read-only from now on: the disk failed", extra={"reason": self.reason})
            if self._directory is not None:
                self._mark(self._directory)

    def open(self) -> str | None:
        """Allow writing again; why it was not allowed, or None if it was.

        Raises OSError, and stays closed, if the disk still does not take a file.
        """
        with self._lock:
            if self.reason is not None and self._directory is not None:
                remove_marker(self._directory)
            reason, self.reason = self.reason, None
            return reason

    def _mark(self, directory: int) -> None:
        assert self.reason is not None
        try:
            write_marker(directory, self.reason)
        except OSError as error:
            # The disk has failed, after all: then the next process meets that failure itself.
            log.critical("the read-only marker was not written", extra={"error": str(error)})


def read_marker(directory: int) -> str | None:
    try:
        fd = os.open(MARKER, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=directory)
    except FileNotFoundError:
        return None
    try:
        text = os.pread(fd, MAX_REASON, 0).decode(errors="replace").strip()
    finally:
        os.close(fd)
    return text or "unknown"


def write_marker(directory: int, reason: str) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    fd = os.open(MARKER, flags, 0o600, dir_fd=directory)
    try:
        os.pwrite(fd, f"{reason}\n".encode(), 0)
        os.fsync(fd)
    finally:
        os.close(fd)
    os.fsync(directory)


def remove_marker(directory: int) -> None:
    """Show that the disk takes bytes again, then forget that it did not."""
    write_marker(directory, "being unlatched")
    os.unlink(MARKER, dir_fd=directory)
    os.fsync(directory)
