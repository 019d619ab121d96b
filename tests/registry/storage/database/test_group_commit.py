"""The writer thread: its death is reported to every unit and by readiness."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import structlog
from sqlalchemy import Connection

from registry.errors import WriterStopped
from registry.storage.database.sqlite import SQLiteDatabase
from registry.storage.metadata import epochs
from tests.support.registry import schema
from tests.support.registry.guards import MemoryGuard


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SQLiteDatabase]:
    schema.upgrade(tmp_path / "db")
    async with SQLiteDatabase(tmp_path / "db", MemoryGuard()) as database:
        yield database


def ends_the_thread(connection: Connection) -> None:
    raise SystemExit("a unit ended the thread")


def nothing(connection: Connection) -> None:
    """A unit that would succeed."""


async def test_all_that_wait_for_a_writer_that_dies_are_answered(database: SQLiteDatabase) -> None:
    with structlog.testing.capture_logs() as logs:
        writes = (database.write(ends_the_thread), *(database.write(nothing) for _ in range(100)))
        found = await asyncio.wait_for(asyncio.gather(*writes, return_exceptions=True), 60)

    assert all(isinstance(error, WriterStopped) for error in found)
    [line] = logs
    assert (line["log_level"], line["event"]) == (
        "critical",
        "the database's writer thread has died",
    )


async def test_later_writes_are_refused_at_once_and_readiness_shows_it(
    database: SQLiteDatabase,
) -> None:
    problems = [database.problem]
    with structlog.testing.capture_logs(), pytest.raises(WriterStopped):
        await database.write(ends_the_thread)

    with pytest.raises(WriterStopped, match="its operator must restart it") as refused:
        await asyncio.wait_for(database.write(nothing), 60)

    assert refused.value.status == 503
    problems.append(database.problem)
    assert problems == [None, str(refused.value)]
    assert await database.look(epochs.CURRENT) == 0


async def test_a_failure_outside_every_unit_is_one_too(
    database: SQLiteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(connection: Connection) -> None:
        raise LookupError("a bug beside the units")

    monkeypatch.setattr(database._writer, "_checkpoint", broken)
    with structlog.testing.capture_logs():
        await database.write(nothing)
        database._writer._thread.join(20)

    with pytest.raises(WriterStopped, match="a bug beside the units"):
        await asyncio.wait_for(database.write(nothing), 60)
