"""SQLite: a Database in one file.

- ``write``: on the one writer thread, in a transaction that is durable on return;
- ``read``: in a worker thread, on a read-only connection; ``operator`` has its own of both;
- ``look``: on a read-only connection, right here in the loop.
"""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError

from oci.reference import RepositoryName
from registry.errors import StorageFailed, StorageFull
from registry.storage.database import checkpoints
from registry.storage.database.contract import T, Work
from registry.storage.database.disk_errors import FAILURES, code_of
from registry.storage.database.group_commit import Writer
from registry.storage.database.lock_times import LockTimes
from registry.storage.database.point_read import PointRead
from registry.storage.database.readers import Readers, translate_read_error
from registry.storage.guard import DiskGuard

BUSY_TIMEOUT_MS = 10_000
READERS = 4
# For long reads: a check of every page, a backup, a pass over a table.
OPERATOR_READERS = 4

# NORMAL would be faster, but after a power cut the database may be older than a later unlink: rows
# of removed files would return.
PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    f"busy_timeout={BUSY_TIMEOUT_MS}",
    "journal_size_limit=67108864",
    "mmap_size=0",
    "trusted_schema=OFF",
    "cell_size_check=ON",
    "temp_store=MEMORY",
)
READER_PRAGMAS = ("query_only=ON", "wal_autocheckpoint=0")


class SQLiteDatabase:
    """A migrated SQLite database, opened by the one process that owns it.

    The writer thread makes all units serial, whatever repository they are ``on``; and a COMMIT
    either happens or fails before it returns: only a writer thread that died leaves anything
    unknown (WriterStopped).
    """

    def __init__(self, path: Path, guard: DiskGuard) -> None:
        self.guard = guard
        self._writing = sqlite_engine(path, checkpoints.PRAGMA)
        # One more for ``look``, which keeps its connection.
        reading = sqlite_engine(path, *READER_PRAGMAS, pool_size=READERS + 1)
        self._readers = Readers(reading, READERS, "database-reader")
        long = sqlite_engine(path, *READER_PRAGMAS, pool_size=OPERATOR_READERS)
        self.operator = Readers(long, OPERATOR_READERS, "database-operator")
        self._writer = Writer(self._writing, self._latch_if_failed)
        self._inline = reading.connect().execution_options(isolation_level="AUTOCOMMIT")
        driver = self._inline.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        self._inline_driver = driver

    async def write(
        self,
        unit: Work[T],
        *,
        on: RepositoryName | None = None,
        grows: bool = False,
        purpose: str = "request",
    ) -> T:
        """See Database.

        A unit may run together with others in one transaction, each in its own savepoint; and
        again, if it finds the disk full and there is a reserve file to give up.
        """
        if grows:
            self.guard.check_free_space()
        try:
            return await self._submit(unit, purpose)
        except StorageFull:
            if not self.guard.release_reserve():
                raise
            return await self._submit(unit, purpose)

    async def _submit(self, unit: Work[T], purpose: str) -> T:
        self.guard.check_writable()
        try:
            return await self._writer.submit(unit, purpose)
        except (DatabaseError, sqlite3.DatabaseError) as error:
            self._latch_if_failed(error)
            raise translate_write_error(error) from error

    def _latch_if_failed(self, error: DatabaseError | sqlite3.Error) -> None:
        if code_of(error) in FAILURES:
            self.guard.make_read_only(f"database: {getattr(error, 'orig', error)}")

    @property
    def problem(self) -> str | None:
        """The reason that writes, or growing writes, are refused; None if they are not."""
        return self._writer.problem or self.guard.problem

    @property
    def lock_times(self) -> LockTimes:
        return self._writer.lock_times

    async def read(self, unit: Work[T]) -> T:
        return await self._readers.read(unit)

    def version(self) -> int | None:
        """SQLite's data_version: the connection that is asked never writes."""
        try:
            row = self._inline_driver.execute("PRAGMA data_version").fetchone()
        except sqlite3.DatabaseError:
            return None
        return int(row[0])

    async def look(self, read: PointRead[T], *values: object) -> T | None:
        """Read on a connection that never writes, without leaving the loop."""
        try:
            return read.first(self._inline, *values)
        except (DatabaseError, sqlite3.DatabaseError) as error:
            raise translate_read_error(error) from error

    async def aclose(self) -> None:
        """Finish what was submitted, checkpoint the log, and close the database."""
        self._inline.close()
        await self._readers.aclose()
        await self.operator.aclose()
        await asyncio.to_thread(self._writer.close)
        self._writing.dispose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()


def sqlite_engine(path: Path, *pragmas: str, pool_size: int = 1) -> Engine:
    """An engine with explicit transactions: BEGIN IMMEDIATE where it may write."""
    engine = create_engine(
        f"sqlite:///{path}",
        pool_size=pool_size,
        max_overflow=0,
        connect_args={"check_same_thread": False, "isolation_level": None},
    )
    # A deferred transaction that starts to write fails at once with SQLITE_BUSY if another holds
    # the lock; the busy timeout does not apply.
    begin = "BEGIN" if "query_only=ON" in pragmas else "BEGIN IMMEDIATE"

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: Any) -> None:
        for pragma in (*PRAGMAS, *pragmas):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
            connection.exec_driver_sql(begin)

    return engine


def translate_write_error(error: DatabaseError | sqlite3.DatabaseError) -> Exception:
    """StorageFull or StorageFailed for a full or failing disk; other errors unchanged."""
    if code_of(error) == sqlite3.SQLITE_FULL:
        return StorageFull()
    if code_of(error) in FAILURES:
        return StorageFailed(str(getattr(error, "orig", error)))
    return error
