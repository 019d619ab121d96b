"""The contract of a Database: two of them on the same rows, as two servers would have."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, select, text

from oci.reference import RepositoryName
from registry.storage.database.contract import Database
from registry.storage.database.sqlite import SQLiteDatabase
from registry.storage.metadata.repositories import ID
from registry.storage.metadata.tables import repositories
from tests.support.registry import schema
from tests.support.registry.databases import twice
from tests.support.registry.guards import MemoryGuard

NAME = RepositoryName("team/app")
Pair = tuple[Database, Database]


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    """Two Databases on the same rows: whatever one call does, the next may ask the other."""
    schema.upgrade(tmp_path / "db")
    async with contextlib.AsyncExitStack() as opened:
        first, second = (
            SQLiteDatabase(tmp_path / "db", MemoryGuard()),
            SQLiteDatabase(tmp_path / "db", MemoryGuard()),
        )
        await opened.enter_async_context(first)
        await opened.enter_async_context(second)
        yield first, second


def add(name: RepositoryName, connection: Connection) -> None:
    connection.execute(insert(repositories).values(name=str(name), created_at=0))


def names(connection: Connection) -> list[str]:
    return list(connection.scalars(select(repositories.c.name).order_by(repositories.c.name)))


def count_up(connection: Connection) -> int:
    """Read, compute, write: two that are not serial would come to the same."""
    found = connection.execute(select(repositories.c.created_at)).scalar_one()
    connection.execute(text("UPDATE repositories SET created_at = :next"), {"next": found + 1})
    return int(found)


async def test_one_databases_write_is_visible_to_every_read_of_the_other(pair: Pair) -> None:
    first, second = pair
    assert await second.look(ID, NAME) is None

    await first.write(partial(add, NAME), on=NAME)

    assert await second.look(ID, NAME) == await first.look(ID, NAME)
    assert await second.read(names) == [str(NAME)]
    assert await second.operator.read(names) == [str(NAME)]
    assert await second.write(names, on=NAME) == [str(NAME)]


async def test_units_on_one_repository_are_serial_wherever_they_come_from(pair: Pair) -> None:
    await pair[0].write(partial(add, NAME), on=NAME)

    counted = await asyncio.gather(*(pair[n % 2].write(count_up, on=NAME) for n in range(60)))

    assert sorted(counted) == list(range(60))


async def test_a_unit_that_raises_leaves_nothing_and_takes_nothing_with_it(pair: Pair) -> None:
    def fails(connection: Connection) -> None:
        add(RepositoryName("team/none"), connection)
        raise LookupError("a test")

    found = await asyncio.gather(
        pair[0].write(partial(add, RepositoryName("team/a")), on=None),
        pair[0].write(fails, on=None),
        pair[1].write(partial(add, RepositoryName("team/b")), on=None),
        return_exceptions=True,
    )

    assert [type(each) for each in found] == [type(None), LookupError, type(None)]
    assert await pair[1].read(names) == ["team/a", "team/b"]


async def test_a_read_is_of_one_moment(pair: Pair) -> None:
    first, second = pair
    loop = asyncio.get_running_loop()

    def unit(connection: Connection) -> tuple[list[str], list[str]]:
        before = names(connection)
        writing = asyncio.run_coroutine_threadsafe(first.write(partial(add, NAME), on=NAME), loop)
        writing.result(30)
        return before, names(connection)

    assert await second.read(unit) == ([], [])
    assert await second.read(names) == [str(NAME)]


async def test_lock_times_are_counted_by_purpose(pair: Pair) -> None:
    await pair[0].write(partial(add, NAME), on=NAME, purpose="a test")

    assert pair[0].lock_times.of("a test").count == 1


async def test_a_unit_that_does_more_than_compute_and_query_shows_when_it_runs_again(
    pair: Pair,
) -> None:
    seen: list[str] = []

    def impure(connection: Connection) -> None:
        if seen:
            raise LookupError("there was a first run")
        seen.append("first run")
        add(NAME, connection)

    with pytest.raises(AssertionError, match="only when it is run again"):
        await pair[0].write(twice(impure), on=NAME)

    assert await pair[1].read(names) == []


async def test_the_version_changes_with_every_change_of_either_and_with_no_read(
    pair: Pair,
) -> None:
    first, second = pair
    before = second.version()
    assert before is not None
    await second.look(ID, NAME)
    await second.read(names)
    assert second.version() == before

    await first.write(partial(add, NAME), on=NAME)
    by_other = second.version()
    await second.write(count_up, on=NAME)
    by_itself = second.version()

    assert len({before, by_other, by_itself}) == 3
