"""Throttle: limit the share of time that background work holds the write lock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from registry.storage.database.contract import Connection, Database

T = TypeVar("T")
K = TypeVar("K")

# Safety factor on each wait: the clock is read slightly too early.
MARGIN = 1.01
# Target time for a unit, commit not included: short enough not to delay a push.
TARGET_MS = 3.0
# Begin small: the first unit of a kind also compiles its statements, under the lock.
MIN_ITEMS_PER_BATCH = 1
MAX_ITEMS_PER_BATCH = 100


class LockThrottle:
    """Runs short units of background work, with waits between them.

    ``share`` is the largest part of wall time, up to 1, that the work may hold the lock.  A unit's
    duration is not known in advance: the last one determines the next batch size and the wait
    before it.
    """

    def __init__(self, database: Database, purpose: str, share: float) -> None:
        self._database = database
        self._share = min(share, 1.0)
        self._purpose = purpose
        self._batch_size = MIN_ITEMS_PER_BATCH
        self._free_at = 0.0

    async def run_batches(
        self, items: Sequence[K], unit: Callable[[Sequence[K], Connection], T]
    ) -> list[T]:
        """Run the unit on batches of the items, each in its own transaction."""
        results = []
        position = 0
        while position < len(items):
            some = items[position : position + self._batch_size]
            position += len(some)
            results.append(await self.run(partial(unit, some)))
        return results

    async def run(self, unit: Callable[[Connection], T]) -> T:
        """Run one unit in its transaction, after the wait due for the previous one."""

        def timed(connection: Connection) -> tuple[T, float]:
            started = time.perf_counter()
            return unit(connection), (time.perf_counter() - started) * 1000

        await asyncio.sleep(self._free_at - time.monotonic())
        held = self._database.lock_times.of(self._purpose)
        before = held.total_ms
        result, milliseconds = await self._database.write(timed, on=None, purpose=self._purpose)
        # Commit included: on a busy disk it may take longer than the unit.
        held_ms = max(held.total_ms - before, milliseconds)
        self._free_at = time.monotonic() + held_ms / 1000 * (MARGIN / self._share - 1)
        self._adjust_batch_size(milliseconds)
        return result

    def _adjust_batch_size(self, milliseconds: float) -> None:
        # By a factor of two at most: durations vary between units.
        fitting = self._batch_size * min(2.0, max(0.5, TARGET_MS / max(milliseconds, 0.001)))
        self._batch_size = min(MAX_ITEMS_PER_BATCH, max(MIN_ITEMS_PER_BATCH, round(fitting)))
