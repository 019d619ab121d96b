"""Scheduler: runs each background job at its interval, independently of the others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import structlog

from registry.background import BackgroundTasks
from registry.errors import (
    CommitUnknown,
    RegistryReadOnly,
    StorageFailed,
    StorageFull,
    StorageUnreadable,
    WriterStopped,
)

log = structlog.get_logger()


# Disk errors, logged without a traceback.
DISK_ERRORS = (
    StorageFull,
    StorageFailed,
    RegistryReadOnly,
    StorageUnreadable,
    WriterStopped,
    CommitUnknown,
)


@dataclass(frozen=True, slots=True)
class Job:
    """A periodic job; its result is logged in one line, unless it is None."""

    name: str
    interval_seconds: float
    run: Callable[[], Awaitable[Mapping[str, object] | None]]


@dataclass(slots=True)
class JobStatus:
    """Counts and the last result of a job."""

    runs: int = 0
    failures: int = 0
    seconds: float = 0.0
    last: Mapping[str, object] = field(default_factory=dict)
    problem: str | None = None


class Scheduler:
    """Runs every job in its own loop until cancelled.

    A job that raises is logged once, tried again at its next interval, and logged once it recovers.
    """

    def __init__(self, jobs: Sequence[Job], background: BackgroundTasks) -> None:
        self._jobs = jobs
        self._background = background
        self.statuses = {job.name: JobStatus() for job in jobs}

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for job in self._jobs:
                work = self._background.supervise(job.name, partial(self._repeat, job))
                group.create_task(work, name=f"job {job.name}")

    async def _repeat(self, job: Job) -> None:
        while True:
            await asyncio.sleep(job.interval_seconds)
            await self.run_once(job)

    async def run_once(self, job: Job) -> None:
        """Run a job once."""
        status, started = self.statuses[job.name], time.monotonic()
        try:
            result = await job.run()
        except Exception as error:  # noqa: BLE001 - logged, and tried again; no job may end the scheduler
            status.failures += 1
            self._background.job_failed(job.name)
            self._log_failure(job, status, error)
            return
        status.runs += 1
        self._background.job_succeeded(job.name)
        status.seconds = time.monotonic() - started
        if status.problem is not None:
            log.info("background job recovered", job=job.name)
            status.problem = None
        if result is not None:
            status.last = result
            log.info(job.name, seconds=round(status.seconds, 3), **result)

    def _log_failure(self, job: Job, status: JobStatus, error: Exception) -> None:
        problem = repr(error)
        if problem != status.problem and isinstance(error, DISK_ERRORS):
            log.warning(
                "background job is refused, and will be tried again",
                job=job.name,
                reason=str(error),
            )
        elif problem != status.problem:
            log.exception("background job failed, and will be tried again", job=job.name)
        status.problem = problem
