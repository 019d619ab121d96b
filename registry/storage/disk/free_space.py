"""Free space: a minimum below which nothing grows, and a reserve file for deletes."""

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
# Small disks, as tests have, give up less.
RESERVE_SHARE = 64
# Below this the reserve file goes, before a commit is refused for want of a page.
NEARLY_NOTHING = 16 * 1024 * 1024
MIN_FREE_FILES = 1000
# statvfs takes a microsecond or two; a thousand small uploads need not each pay it.
CACHE_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class MinimumFree:
    """How much of the disk is left alone: the greater of the two."""

    bytes: int = 0
    percent: float = 0.0


class FreeSpace:
    """The free space under a root.  From any thread.

    The reserve file is a file of nothing.  Given up when there is nothing else, it is the room in
    which deletes are written down; uploads are refused until there is a reserve file again.
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
        """Why nothing may grow, in a sentence; None while it may."""
        now = self._clock()
        if self._measured < 0 or now - self._measured > CACHE_SECONDS:
            self._problem = self._measure()
            self._measured = now
        return self._problem

    def check(self) -> None:
        """Hot path: raise StorageFull below the minimum."""
        if self.problem is not None:
            raise StorageFull()

    def release(self) -> bool:
        """Give the reserve file up; whether there was one."""
        with self._lock:
            self._has_reserve = False
            self._measured = -1.0
            return release_reserve(self._directory)

    def refresh(self) -> None:
        """Take a reserve file when there is room for one, and give it up when there is none."""
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
    """Remove the reserve file of a root; whether there was one."""
    try:
        os.unlink(RESERVE, dir_fd=directory)
    except OSError:
        return False
    log.warning("the disk is full: the reserve file was given up, so that deletes can be written")
    return True


def reserve_size(disk: os.statvfs_result) -> int:
    return min(RESERVE_BYTES, disk.f_blocks * disk.f_frsize // RESERVE_SHARE)
