"""Group commit: one thread, one connection, several units of work to a durable commit."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from sqlalchemy import Connection, Engine

from registry.errors import WriterStopped
from registry.storage.database.checkpoints import Checkpointer
from registry.storage.database.lock_times import LockTimes

T = TypeVar("T")

MAX_UNITS_PER_BATCH = 64

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class QueuedWork:
    unit: Callable[[Connection], Any]
    future: asyncio.Future[Any]
    purpose: str = "request"


@dataclass(frozen=True, slots=True)
class WorkResult:
    job: QueuedWork
    result: Any = None
    error: BaseException | None = None

    def deliver(self) -> None:
        """Set the future's result; runs in the event loop that waits for it."""
        if self.job.future.done():
            return  # cancelled; the unit was committed all the same
        if self.error is None:
            self.job.future.set_result(self.result)
        else:
            self.job.future.set_exception(self.error)


class Writer:
    """Group commit: while one transaction is synced, units for the next one queue up.

    No unit waits for others: a single one is committed at once, and units that arrive during its
    fsync share the next commit.  Each unit of a batch has its own savepoint, so that one which
    raises rolls back alone.
    """

    def __init__(self, engine: Engine, on_failure: Callable[[sqlite3.Error], None]) -> None:
        """``on_failure`` is called, on the writer's thread, for errors of checkpoints."""
        self._engine = engine
        self._on_failure = on_failure
        self.lock_times = LockTimes()
        self._checkpointer = Checkpointer(self.lock_times)
        self._jobs: queue.SimpleQueue[QueuedWork | None] = queue.SimpleQueue()
        self._batch: list[QueuedWork] = []
        # Held to submit and to stop: no work may be queued after the thread has died.
        self._stopping = threading.Lock()
        self._stopped: str | None = None
        self._thread = threading.Thread(target=self._run, name="database-writer", daemon=True)
        self._thread.start()

    async def submit(self, unit: Callable[[Connection], T], purpose: str = "request") -> T:
        """Run the unit and wait until it is durable.

        If the caller is cancelled, its unit runs all the same.
        Raises WriterStopped if the thread has died, also while the unit waits for it.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        with self._stopping:
            if self._stopped is not None:
                raise WriterStopped(self._stopped)
            self._jobs.put(QueuedWork(unit, future, purpose))
        return await future

    @property
    def problem(self) -> str | None:
        """The reason that nothing can be written; None while the thread lives."""
        return None if self._stopped is None else str(WriterStopped(self._stopped))

    def close(self) -> None:
        """Run the submitted units, then end the thread."""
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        try:
            with self._engine.connect() as connection:
                while (batch := self._gather()) is not None:
                    self._batch = batch
                    deliver(run(connection, batch, self.lock_times))
                    self._batch = []
                    self._checkpoint(connection)
        except BaseException as error:  # noqa: BLE001 - reported to every waiting unit
            self._stop(error)

    def _stop(self, error: BaseException) -> None:
        """Fail every waiting and later unit with WriterStopped."""
        log.critical("the database's writer thread has died", exc_info=error)
        reason = repr(error)
        with self._stopping:
            self._stopped = reason
            waiting = self._batch
            with contextlib.suppress(queue.Empty):
                while True:
                    job = self._jobs.get_nowait()
                    waiting += [] if job is None else [job]
        deliver([WorkResult(job, error=WriterStopped(reason)) for job in waiting])

    def _checkpoint(self, connection: Connection) -> None:
        driver = connection.connection.driver_connection
        if not isinstance(driver, sqlite3.Connection):
            return
        try:
            self._checkpointer.checkpoint_if_due(driver, idle=self._jobs.empty())
        except sqlite3.Error as error:
            self._on_failure(error)

    def _gather(self) -> list[QueuedWork] | None:
        """The next batch: all queued units, up to MAX_UNITS_PER_BATCH; None once closed."""
        job = self._jobs.get()
        if job is None:
            return None
        batch = [job]
        while len(batch) < MAX_UNITS_PER_BATCH:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if job is None:
                self._jobs.put(None)
                break
            batch.append(job)
        return batch


def run(connection: Connection, batch: list[QueuedWork], lock_times: LockTimes) -> list[WorkResult]:
    """Run a batch in one transaction; a failed commit is the result of every unit.

    Lock times: each unit's own time; a single unit's includes the commit.
    """
    started = time.perf_counter()
    try:
        with connection.begin():
            if len(batch) == 1:
                return [WorkResult(batch[0], result=batch[0].unit(connection))]
            return [timed(connection, job, lock_times) for job in batch]
    except Exception as error:  # noqa: BLE001 - raised to every waiting unit
        roll_back(connection)
        return [WorkResult(job, error=error) for job in batch]
    finally:
        if len(batch) == 1:
            lock_times.of(batch[0].purpose).add((time.perf_counter() - started) * 1000)


def timed(connection: Connection, job: QueuedWork, lock_times: LockTimes) -> WorkResult:
    started = time.perf_counter()
    try:
        return attempt(connection, job)
    finally:
        lock_times.of(job.purpose).add((time.perf_counter() - started) * 1000)


def attempt(connection: Connection, job: QueuedWork) -> WorkResult:
    """Run one unit in its savepoint."""
    savepoint = connection.begin_nested()
    try:
        result = job.unit(connection)
        savepoint.commit()
    except Exception as error:
        # On a full disk SQLite rolls back the whole transaction: then every unit failed.
        if not is_open(connection):
            raise
        savepoint.rollback()
        return WorkResult(job, error=error)
    return WorkResult(job, result=result)


def roll_back(connection: Connection) -> None:
    """Roll back after a failed COMMIT: an open transaction would keep others from beginning."""
    driver = connection.connection.driver_connection
    if isinstance(driver, sqlite3.Connection) and driver.in_transaction:
        driver.rollback()


def is_open(connection: Connection) -> bool:
    driver = connection.connection.driver_connection
    return not isinstance(driver, sqlite3.Connection) or driver.in_transaction


def deliver(outcomes: list[WorkResult]) -> None:
    """Deliver the results, with one wake-up per event loop."""
    loops: dict[asyncio.AbstractEventLoop, list[WorkResult]] = {}
    for outcome in outcomes:
        loops.setdefault(outcome.job.future.get_loop(), []).append(outcome)
    for loop, delivered in loops.items():
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(deliver_all, delivered)


def deliver_all(outcomes: list[WorkResult]) -> None:
    for outcome in outcomes:
        outcome.deliver()
