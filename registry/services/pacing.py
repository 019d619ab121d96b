"""Pacing: background work takes the write lock for moments, and seldom."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from registry.storage.metadata.database import Connection, Database

T = TypeVar("T")
K = TypeVar("K")

# Of the wall time, so much may the lock be held by work that nobody waits for.
SHARE = 0.018
# One hold should take this long: far below what a push would notice.
AIM_MS = 8.0
LEAST_AT_ONCE = 5
MOST_AT_ONCE = 100


class Pace:
    """Runs units of background work, each short, and waits in between.

    Nobody knows before how long a unit takes: so each is as large as the one before it allows,
    and what it took decides how long to wait.
    """

    def __init__(self, database: Database, purpose: str) -> None:
        self._database = database
        self._purpose = purpose
        self._at_once = LEAST_AT_ONCE
        self._free_at = 0.0

    async def each(
        self, items: Sequence[K], unit: Callable[[Sequence[K], Connection], T]
    ) -> list[T]:
        """Hand the items to the unit, some at a time, each time in its own transaction."""
        results = []
        position = 0
        while position < len(items):
            some = items[position : position + self._at_once]
            position += len(some)
            results.append(await self.once(partial(unit, some)))
        return results

    async def once(self, unit: Callable[[Connection], T]) -> T:
        """One unit in its transaction, after the wait that the one before it cost."""

        def timed(connection: Connection) -> tuple[T, float]:
            started = time.perf_counter()
            return unit(connection), (time.perf_counter() - started) * 1000

        await asyncio.sleep(self._free_at - time.monotonic())
        held = self._database.holds.of(self._purpose)
        before = held.total_ms
        result, milliseconds = await self._database.write(timed, purpose=self._purpose)
        # With the commit, which may take longer than the unit where the disk is busy.
        held_ms = max(held.total_ms - before, milliseconds)
        self._free_at = time.monotonic() + held_ms / 1000 * (1 / SHARE - 1)
        self._learn(milliseconds)
        return result

    def _learn(self, milliseconds: float) -> None:
        if milliseconds > AIM_MS:
            self._at_once = max(LEAST_AT_ONCE, self._at_once // 2)
        elif milliseconds < AIM_MS / 2:
            self._at_once = min(MOST_AT_ONCE, self._at_once * 2)
