"""Free space: a minimum below which uploads are refused, and a reserve file for deletes."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from registry.errors import StorageFull
from registry.storage.disk.regular_file import open_regular

log = logging.getLogger(__name__)

RESERVE = "ballast"
RESERVE_BYTES = 64 * 1024 * 1024
# On small disks the reserve is this fraction of the disk.
RESERVE_SHARE = 64
# Below this the reserve file is removed, before a commit fails for lack of a page.
NEARLY_NOTHING = 16 * 1024 * 1024
MIN_FREE_FILES = 1000
# statvfs takes 1 to 2 µs: many small uploads share one measurement.
CACHE_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class MinimumFree:
    """Free space to keep: the greater of the two."""

    bytes: int = 0
    percent: float = 0.0


class FreeSpace:
    """The free space under a root.  Thread-safe.

    The reserve file holds no data.  On a full disk it is removed, so that deletes can be written;
    uploads are refused until it exists again.
    """

    def __init__(
        self, directory: int, minimum: MinimumFree, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._directory = directory
        self._minimum = minimum
        self._clock = clock
        self._lock = threading.Lock()
        self._measured = -1.0
        self._problem: str | None = None
        self._has_reserve = False
        self.refresh()

    @property
    def problem(self) -> str | None:
        """The reason that uploads are refused, in a sentence; None if they are not."""
        now = self._clock()
        if self._measured < 0 or now - self._measured > CACHE_SECONDS:
            self._problem = self._measure()
            self._measured = now
        return self._problem

    def check(self) -> None:
        """Raise StorageFull below the minimum."""
        if self.problem is not None:
            raise StorageFull()

    def release(self) -> bool:
        """Remove the reserve file; false if there was none."""
        with self._lock:
            self._has_reserve = False
            self._measured = -1.0
            return release_reserve(self._directory)

    def refresh(self) -> None:
        """Create the reserve file if there is space for it, and remove it if there is none."""
        disk = os.fstatvfs(self._directory)
        free = disk.f_bavail * disk.f_frsize
        if self._has_reserve:
            if free < min(NEARLY_NOTHING, reserve_size(disk)):
                self.release()
        elif free >= self._least(disk) + 2 * reserve_size(disk):
            self._take(reserve_size(disk))
        was, now = self._problem, self.problem
        if (was is None) != (now is None):
            log.warning(
                "uploads are refused" if now else "uploads are taken again",
                extra={"reason": now or was},
            )

    def _take(self, size: int) -> None:
        with self._lock:
            flags = os.O_WRONLY | os.O_CREAT
            try:
                fd = open_regular(RESERVE, flags, directory=self._directory)
                try:
                    os.posix_fallocate(fd, 0, size)
                finally:
                    os.close(fd)
            except OSError as error:
                log.warning("no reserve file could be taken", extra={"error": str(error)})
                return
            self._has_reserve = True
            self._measured = -1.0

    def _measure(self) -> str | None:
        disk = os.fstatvfs(self._directory)
        free, least = disk.f_bavail * disk.f_frsize, self._least(disk)
        if not self._has_reserve:
            least = max(least, 2 * reserve_size(disk))
        if free < least:
            return f"{free} bytes of the disk are free, expected at least {least}"
        if disk.f_files and disk.f_favail < MIN_FREE_FILES:
            return f"the disk has room for {disk.f_favail} files, expected {MIN_FREE_FILES}"
        return None

    def _least(self, disk: os.statvfs_result) -> int:
        total = disk.f_blocks * disk.f_frsize
        return max(self._minimum.bytes, int(total * self._minimum.percent / 100))


def release_reserve(directory: int) -> bool:
    """Remove the reserve file of a root; false if there was none."""
    try:
        os.unlink(RESERVE, dir_fd=directory)
    except OSError:
        return False
    log.warning("the disk is full: the reserve file was given up, so that deletes can be written")
    return True


def reserve_size(disk: os.statvfs_result) -> int:
    return min(RESERVE_BYTES, disk.f_blocks * disk.f_frsize // RESERVE_SHARE)
