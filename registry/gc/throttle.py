"""Throttle: background work takes the write lock for moments, and seldom."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from registry.storage.database.contract import Connection, Database

T = TypeVar("T")
K = TypeVar("K")

# Largest share of wall time that background work may hold the write lock.
SHARE = 0.02
# Safety factor on each wait: the clock is read a moment too early.
MARGIN = 1.01
# Target time for a unit, commit not included: far below what a push would notice.
TARGET_MS = 3.0
# The first unit of its kind also has its statements compiled, under the lock.
MIN_BATCH = 1
MAX_BATCH = 100


class LockThrottle:
    """Runs units of background work, each short, and waits in between.

    Nobody knows before how long a unit takes: so each is as large as the one before it allows,
    and what it took decides how long to wait.
    """

    def __init__(self, database: Database, purpose: str, share: float = SHARE) -> None:
        self._database = database
        self._share = min(share, 1.0)
        self._purpose = purpose
        self._batch_size = MIN_BATCH
        self._free_at = 0.0

    async def run_batches(
        self, items: Sequence[K], unit: Callable[[Sequence[K], Connection], T]
    ) -> list[T]:
        """Hand the items to the unit, some at a time, each time in its own transaction."""
        results = []
        position = 0
        while position < len(items):
            some = items[position : position + self._batch_size]
            position += len(some)
            results.append(await self.run(partial(unit, some)))
        return results

    async def run(self, unit: Callable[[Connection], T]) -> T:
        """One unit in its transaction, after the wait that the one before it cost."""

        def timed(connection: Connection) -> tuple[T, float]:
            started = time.perf_counter()
            return unit(connection), (time.perf_counter() - started) * 1000

        await asyncio.sleep(self._free_at - time.monotonic())
        held = self._database.lock_times.of(self._purpose)
        before = held.total_ms
        result, milliseconds = await self._database.write(timed, on=None, purpose=self._purpose)
        # With the commit, which may take longer than the unit where the disk is busy.
        held_ms = max(held.total_ms - before, milliseconds)
        self._free_at = time.monotonic() + held_ms / 1000 * (MARGIN / self._share - 1)
        self._adjust_batch_size(milliseconds)
        return result

    def _adjust_batch_size(self, milliseconds: float) -> None:
        # By half or double at most: one unit says little of the next.
        fitting = self._batch_size * min(2.0, max(0.5, TARGET_MS / max(milliseconds, 0.001)))
        self._batch_size = min(MAX_BATCH, max(MIN_BATCH, round(fitting)))
