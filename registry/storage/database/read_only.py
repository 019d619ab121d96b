"""Read-only: read the database of a stopped registry without changing a byte.

The caller must hold the root's lock: nothing may write meanwhile.

https://www.sqlite.org/wal.html#readonly
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import DatabaseError, TimeoutError
from sqlalchemy.pool import QueuePool

from registry.errors import StartupError
from registry.storage.database import schema
from registry.storage.database.contract import Connection, T, Work
from registry.storage.database.readers import copy_database, translate_read_error
from registry.storage.database.self_check import find_dangling_rows, find_errors

PRAGMAS = (
    "query_only=ON",
    "mmap_size=0",
    "trusted_schema=OFF",
    "cell_size_check=ON",
    "temp_store=MEMORY",
)
READERS = 4


class Snapshot:
    """The rows as the last process left them, including those in its write-ahead log.

    OperatorRows, as a Database's are.  Opened by ``of``.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @classmethod
    @contextmanager
    def of(cls, path: Path) -> Iterator[Self]:
        """Open the database at a path while the block runs.

        Raises StartupError if it has another schema, is no database, or must be recovered by a
        writer first.
        """
        with readonly_parameters(path) as parameters:
            engine = reading_engine(path, parameters)
            try:
                try:
                    with engine.connect() as connection:
                        schema.check_newest(connection)
                except DatabaseError as error:
                    raise StartupError(f"{path} cannot be read as it is: {error.orig}") from error
                yield cls(engine)
            finally:
                engine.dispose()

    async def read(self, unit: Work[T]) -> T:
        """Run a unit that only reads, away from the loop.  Raises StorageUnreadable."""
        return await self._run(self._read, unit)

    async def find_errors(self, *, deep: bool) -> Sequence[str]:
        """See OperatorRows."""
        return await self.read(partial(find_errors, deep=deep))

    async def find_dangling_rows(self) -> Sequence[str]:
        """See OperatorRows."""
        return await self.read(find_dangling_rows)

    async def copy_to(self, path: Path) -> None:
        """Copy everything to a new database.  Raises StorageUnreadable."""
        await self._run(copy_database, self._engine, path)

    async def _run(self, step: Callable[..., T], *arguments: object) -> T:
        try:
            return await asyncio.to_thread(step, *arguments)
        except (DatabaseError, sqlite3.DatabaseError, TimeoutError) as error:
            raise translate_read_error(error) from error

    def _read(self, unit: Work[T]) -> T:
        with self._engine.connect() as connection, connection.begin():
            return unit(connection)


@contextmanager
def readonly_parameters(path: Path) -> Iterator[str]:
    """The URI parameters with which SQLite reads a database and its log and writes neither.

    SQLite needs the log's index in ``-shm``, which it would rebuild in place after a crash.  With
    readonly_shm it rebuilds the index in memory, but the file must exist: a missing one is created,
    empty, while the block runs.
    """
    if not has_content(path, "-wal") and not has_content(path, "-journal"):
        # Without this, SQLite would create an empty log.
        yield "immutable=1"
        return
    index = path.with_name(f"{path.name}-shm")
    try:
        os.close(os.open(index, os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        yield "readonly_shm=1"
        return
    except OSError as error:
        raise StartupError(
            f"{index} is missing and cannot be made ({error.strerror}): the log is not readable"
        ) from error
    try:
        yield "readonly_shm=1"
    finally:
        index.unlink()


def has_content(path: Path, suffix: str) -> bool:
    try:
        return path.with_name(path.name + suffix).stat().st_size > 0
    except FileNotFoundError:
        return False


def reading_engine(path: Path, parameters: str) -> Engine:
    address = f"file:{quote(str(path.absolute()))}?mode=ro&{parameters}"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(address, uri=True, check_same_thread=False, isolation_level=None)

    engine = create_engine(
        "sqlite://", creator=connect, poolclass=QueuePool, pool_size=READERS, max_overflow=0
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: Any) -> None:
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    return engine
