"""Readers: a pool of threads with one read-only connection each."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DatabaseError, TimeoutError

from registry.errors import StorageUnreadable
from registry.storage.database.disk_errors import FAILURES, code_of
from registry.storage.database.self_check import find_dangling_rows, find_errors

T = TypeVar("T")


class Readers:
    """As many threads as connections: a unit waits for a thread, never for a connection.

    Long units use separate Readers, so that short ones do not wait behind them.
    """

    def __init__(self, engine: Engine, count: int, name: str) -> None:
        """``engine`` must have ``count`` connections."""
        self._engine = engine
        self._threads = ThreadPoolExecutor(count, thread_name_prefix=name)

    async def read(self, unit: Callable[[Connection], T]) -> T:
        """Run a unit that only reads, in one snapshot.  Raises StorageUnreadable."""
        return await self._run(self._read, unit)

    async def find_errors(self, *, deep: bool) -> Sequence[str]:
        """See OperatorRows."""
        return await self.read(partial(find_errors, deep=deep))

    async def find_dangling_rows(self) -> Sequence[str]:
        """See OperatorRows."""
        return await self.read(find_dangling_rows)

    async def copy_to(self, path: Path) -> None:
        """Copy one snapshot of everything to a new database, while units go on."""
        await self._run(copy_database, self._engine, path)

    async def aclose(self) -> None:
        """Wait for running units, and close the connections."""
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)
        self._engine.dispose()

    async def _run(self, step: Callable[..., T], *arguments: object) -> T:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, step, *arguments)
        except (DatabaseError, sqlite3.DatabaseError, TimeoutError) as error:
            raise translate_read_error(error) from error

    def _read(self, unit: Callable[[Connection], T]) -> T:
        with self._engine.connect() as connection, connection.begin():
            return unit(connection)


def copy_database(engine: Engine, path: Path) -> None:
    """Copy one snapshot of everything to a new database."""
    target = sqlite3.connect(path)
    try:
        with engine.connect() as connection:
            driver = connection.connection.driver_connection
            assert isinstance(driver, sqlite3.Connection)
            # All pages in one step: one snapshot, which no writer can disturb in WAL mode.
            driver.backup(target)
    finally:
        target.close()


def translate_read_error(error: DatabaseError | sqlite3.DatabaseError | TimeoutError) -> Exception:
    """StorageUnreadable for a failing disk or if all readers stay busy; other errors unchanged."""
    if isinstance(error, TimeoutError):
        return StorageUnreadable("all connections are in use for too long", what="its database")
    if code_of(error) in FAILURES:
        return StorageUnreadable(str(getattr(error, "orig", error)))
    return error
