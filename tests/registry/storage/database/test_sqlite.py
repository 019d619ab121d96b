"""The database: durable units, savepoints, and readers that cannot write."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, bindparam, event, insert, select, text
from sqlalchemy.exc import IntegrityError, OperationalError

from registry.errors import StorageFailed, StorageFull
from registry.storage.database.contract import Work
from registry.storage.database.point_read import PointRead
from registry.storage.database.sqlite import SQLiteDatabase
from registry.storage.metadata.repositories import ID
from registry.storage.metadata.tables import repositories
from tests.support.registry import schema
from tests.support.registry.guards import MemoryGuard


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SQLiteDatabase]:
    schema.upgrade(tmp_path / "db")
    async with SQLiteDatabase(tmp_path / "db", MemoryGuard()) as database:
        yield database


def add(connection: Connection, name: str) -> None:
    connection.execute(insert(repositories).values(name=name, created_at=1))


def adding(name: str) -> Work[None]:
    return lambda connection: add(connection, name)


def names(connection: Connection) -> set[str]:
    return set(connection.scalars(select(repositories.c.name)))


def pragma(connection: Connection, name: str) -> object:
    return connection.exec_driver_sql(f"PRAGMA {name}").scalar()


async def test_a_write_is_visible_to_every_read(database: SQLiteDatabase) -> None:
    await database.write(lambda connection: add(connection, "a"))

    assert await database.read(names) == {"a"}
    assert await database.operator.read(names) == {"a"}
    assert await database.look(ID, "a") == 1


async def test_a_units_result_is_returned(database: SQLiteDatabase) -> None:
    assert await database.write(lambda _connection: 42) == 42


async def test_every_commit_reaches_the_disk(database: SQLiteDatabase) -> None:
    def settings(connection: Connection) -> list[object]:
        names = ("journal_mode", "synchronous", "foreign_keys", "mmap_size", "trusted_schema")
        return [pragma(connection, name) for name in names]

    assert await database.write(settings) == ["wal", 2, 1, 0, 0]
    assert (await database.read(settings))[2:] == [1, 0, 0]


async def test_a_unit_that_raises_leaves_nothing(database: SQLiteDatabase) -> None:
    def unit(connection: Connection) -> None:
        add(connection, "half")
        raise LookupError

    with pytest.raises(LookupError):
        await database.write(unit)

    assert await database.read(names) == set()


async def test_a_unit_that_raises_takes_nothing_with_it(database: SQLiteDatabase) -> None:
    """Thirty units in one group, every third of which fails."""

    def unit(number: int, connection: Connection) -> None:
        add(connection, str(number))
        if number % 3 == 0:
            raise LookupError(number)

    outcomes = await asyncio.gather(
        *(database.write(partial(unit, n)) for n in range(30)), return_exceptions=True
    )

    assert [type(outcome) for outcome in outcomes[:3]] == [LookupError, type(None), type(None)]
    assert await database.read(names) == {str(n) for n in range(30) if n % 3}


async def test_units_that_queue_share_a_commit(database: SQLiteDatabase) -> None:
    begun = 0

    def count(connection: Connection) -> None:
        nonlocal begun
        begun += 1

    event.listen(database._writing, "begin", count)

    await asyncio.gather(*(database.write(adding(str(n))) for n in range(200)))

    assert begun <= 10
    assert len(await database.read(names)) == 200


async def test_a_waiter_that_is_cancelled_leaves_its_unit_done(database: SQLiteDatabase) -> None:
    waiting = asyncio.create_task(database.write(lambda connection: add(connection, "a")))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    await database.write(lambda connection: add(connection, "b"))

    assert await database.read(names) == {"a", "b"}


async def test_readers_cannot_write(database: SQLiteDatabase) -> None:
    with pytest.raises(OperationalError, match="readonly"):
        await database.read(lambda connection: add(connection, "a"))
    with pytest.raises(OperationalError, match="readonly"):
        await database.operator.read(lambda connection: add(connection, "a"))


async def test_foreign_keys_hold(database: SQLiteDatabase) -> None:
    with pytest.raises(IntegrityError):
        await database.write(
            lambda connection: connection.execute(
                text("INSERT INTO tags VALUES (1, 'v1', 'sha256:none', 1, 1)")
            )
        )


async def test_a_full_disk_is_a_refusal_and_passes(database: SQLiteDatabase) -> None:
    def limit(connection: Connection, pages: int) -> None:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    def fill(connection: Connection) -> None:
        for n in range(2_000):
            add(connection, f"{n}" * 50)

    await database.write(lambda connection: limit(connection, 1))
    outcomes = await asyncio.gather(
        database.write(fill), database.write(fill), return_exceptions=True
    )
    await database.write(lambda connection: limit(connection, 1_000_000))
    await database.write(lambda connection: add(connection, "after"))

    assert [type(outcome) for outcome in outcomes] == [StorageFull, StorageFull]
    assert await database.read(names) == {"after"}


async def test_units_submitted_before_closing_are_run(tmp_path: Path) -> None:
    schema.upgrade(tmp_path / "db")
    async with SQLiteDatabase(tmp_path / "db", MemoryGuard()) as database:
        pending = [asyncio.create_task(database.write(adding(str(n)))) for n in range(5)]
        await asyncio.sleep(0)
    await asyncio.gather(*pending)

    async with SQLiteDatabase(tmp_path / "db", MemoryGuard()) as database:
        assert len(await database.read(names)) == 5


async def test_a_point_read_returns_the_rows_of_its_statement(database: SQLiteDatabase) -> None:
    await database.write(lambda connection: add(connection, "a"))
    statement = select(repositories.c.id, repositories.c.name).where(
        repositories.c.name == bindparam("name")
    )
    read = PointRead(statement, "name", into=tuple[int, str])

    short = await database.look(read, "a")
    long = await database.read(
        lambda connection: connection.execute(statement, {"name": "a"}).first()
    )

    assert short == tuple(long or ())
    assert await database.look(read, "b") is None


def test_a_point_read_with_a_literal_is_refused() -> None:
    with pytest.raises(AssertionError):
        PointRead(
            select(repositories.c.id).where(repositories.c.name == "fixed"), into=tuple[Any, ...]
        )


async def test_a_point_read_that_meets_a_corrupt_page_is_a_refusal(
    database: SQLiteDatabase,
) -> None:
    def corrupt(_: Connection) -> None:
        error = sqlite3.DatabaseError("database disk image is malformed")
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error

    with pytest.raises(StorageFailed):
        await database.write(corrupt)
    assert database.guard.read_only_reason is not None


async def test_a_commit_that_fails_does_not_keep_the_next_one_from_beginning(
    database: SQLiteDatabase,
) -> None:
    def broken_at_commit(connection: Connection) -> None:
        connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
        add(connection, "half")
        connection.exec_driver_sql("INSERT INTO tags VALUES (4711, 'latest', 'sha256:0', 1, 1)")

    with pytest.raises(IntegrityError):
        await database.write(broken_at_commit)

    await database.write(adding("whole"))
    assert await database.read(names) == {"whole"}
