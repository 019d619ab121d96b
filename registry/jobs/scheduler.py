"""Janitor: the chores that nobody asks for, each in its time, whatever happens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import structlog

from registry.background import BackgroundTasks
from registry.errors import (
    StorageFailed,
    StorageFull,
    StorageLatched,
    StorageUnreadable,
    WriterStopped,
)

log = structlog.get_logger()


# What the store says of its disk: the words are all there is to know.
REFUSALS = (StorageFull, StorageFailed, StorageLatched, StorageUnreadable, WriterStopped)


@dataclass(frozen=True, slots=True)
class Chore:
    """Something to do every so often; what it returns is told in one line, None is not."""

    name: str
    interval_seconds: float
    run: Callable[[], Awaitable[Mapping[str, object] | None]]


@dataclass(slots=True)
class Record:
    """How a chore has gone so far."""

    runs: int = 0
    failures: int = 0
    seconds: float = 0.0
    last: Mapping[str, object] = field(default_factory=dict)
    problem: str | None = None


class Janitor:
    """Does every chore in a loop of its own, until it is cancelled.

    A chore that raises is told once, tried again in its next turn, and told when it is well.
    """

    def __init__(self, chores: Sequence[Chore], background: BackgroundTasks | None = None) -> None:
        self._chores = chores
        self._background = background or BackgroundTasks()
        self.records = {chore.name: Record() for chore in chores}

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for chore in self._chores:
                work = self._background.supervise(chore.name, partial(self._repeat, chore))
                group.create_task(work, name=f"janitor {chore.name}")

    async def _repeat(self, chore: Chore) -> None:
        while True:
            await asyncio.sleep(chore.interval_seconds)
            await self.do(chore)

    async def do(self, chore: Chore) -> None:
        """One turn of a chore."""
        record, started = self.records[chore.name], time.monotonic()
        try:
            result = await chore.run()
        except Exception as error:  # noqa: BLE001 - told, and tried again; nothing may end a janitor
            record.failures += 1
            self._background.job_failed(chore.name)
            self._told(chore, record, error)
            return
        record.runs += 1
        self._background.job_succeeded(chore.name)
        record.seconds = time.monotonic() - started
        if record.problem is not None:
            log.info("chore is well again", chore=chore.name)
            record.problem = None
        if result is not None:
            record.last = result
            log.info(chore.name, seconds=round(record.seconds, 3), **result)

    def _told(self, chore: Chore, record: Record, error: Exception) -> None:
        problem = repr(error)
        if problem != record.problem and isinstance(error, REFUSALS):
            log.warning(
                "chore is refused, and will be tried again", chore=chore.name, reason=str(error)
            )
        elif problem != record.problem:
            log.exception("chore failed, and will be tried again", chore=chore.name)
        record.problem = problem
