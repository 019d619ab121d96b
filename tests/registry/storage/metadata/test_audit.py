"""Audit: one row per change, and a chain of hashes that shows alterations."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select, text

from registry.storage.database.sqlite import SQLiteDatabase
from registry.storage.metadata import audit, tables
from registry.storage.retention import Lease
from tests.support.registry import schema
from tests.support.registry.clocks import FakeClock
from tests.support.registry.guards import MemoryGuard


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SQLiteDatabase]:
    schema.upgrade(tmp_path / "db")
    async with SQLiteDatabase(tmp_path / "db", MemoryGuard()) as database:
        yield database


def act_out(connection: Connection) -> None:
    change = audit.Change.begin(connection, "alice", FakeClock())
    audit.append(connection, change, "blob.push", "team/app", "sha256:1")
    audit.append(connection, change, "tag.delete", "team/app", "v1", "because")


def broken_links(connection: Connection) -> list[int]:
    previous, broken = "", []
    for row in connection.execute(select(tables.audit).order_by(tables.audit.c.id)).mappings():
        values: dict[str, Any] = dict(row)
        if audit.chained(previous, values) != row["hash"]:
            broken.append(row["id"])
        previous = row["hash"]
    return broken


async def test_i12_the_chain_verifies(database: SQLiteDatabase) -> None:
    await database.write(act_out)
    await database.write(act_out)

    assert await database.read(broken_links) == []
    rows = await database.read(
        lambda connection: connection.scalar(text("SELECT count(*) FROM audit"))
    )
    assert rows == 4


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audit SET identity = 'bob' WHERE id = 2",
        "UPDATE audit SET target = 'v', detail = '1because' WHERE id = 2",
        "DELETE FROM audit WHERE id = 2",
    ],
)
async def test_i12_an_altered_chain_does_not(database: SQLiteDatabase, change: str) -> None:
    await database.write(act_out)
    await database.write(act_out)

    await database.write(lambda connection: connection.execute(text(change)))

    assert await database.read(broken_links) != []


async def test_the_epoch_is_the_newest(database: SQLiteDatabase) -> None:
    before = await database.write(
        lambda connection: audit.Change.begin(connection, "alice", FakeClock())
    )
    await database.write(
        lambda connection: connection.execute(
            text("INSERT INTO epochs VALUES (6, 9, 1), (7, 9, 2)")
        )
    )

    after = await database.write(
        lambda connection: audit.Change.begin(connection, "alice", FakeClock())
    )

    assert (before.epoch, after.epoch) == (0, 7)
    assert after.lease == Lease(after.at, 7), "over at once: it gives none"
