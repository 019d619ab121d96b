"""Checkpoints: the log stays short, no unit waits for one, and a failure is reported."""

import sqlite3
from collections.abc import Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert

from registry.errors import RegistryReadOnly
from registry.storage.database import checkpoints, schema
from registry.storage.database.checkpoints import DUE, OVERDUE, PURPOSE, Checkpointer
from registry.storage.database.lock_times import LockTimes
from registry.storage.database.sqlite import SQLiteDatabase
from registry.storage.metadata.tables import repositories
from tests.support.registry.guards import MemoryGuard


@pytest.fixture
def path(tmp_path: Path) -> Path:
    schema.upgrade(tmp_path / "db")
    return tmp_path / "db"


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA wal_autocheckpoint=0")
    yield connection
    connection.close()


def change(connection: sqlite3.Connection, rows: int) -> None:
    first = connection.total_changes
    connection.executemany(
        "INSERT INTO repositories (name, created_at) VALUES (?, 1)",
        [(str(first + n),) for n in range(rows)],
    )


def add(connection: Connection, first: int, rows: int) -> None:
    connection.execute(
        insert(repositories), [{"name": f"{first + n}", "created_at": 1} for n in range(rows)]
    )


def checkpoint_count(lock_times: LockTimes) -> int:
    return lock_times.of(PURPOSE).count


def test_a_log_is_checkpointed_once_enough_rows_have_changed(
    connection: sqlite3.Connection,
) -> None:
    lock_times = LockTimes()
    checkpointer = Checkpointer(lock_times)

    change(connection, DUE - 1)
    checkpointer.checkpoint_if_due(connection, idle=True)
    assert checkpoint_count(lock_times) == 0

    change(connection, 1)
    checkpointer.checkpoint_if_due(connection, idle=True)
    checkpointer.checkpoint_if_due(connection, idle=True)
    assert checkpoint_count(lock_times) == 1
    _, frames, folded = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    assert frames == folded > 0


def test_units_that_wait_go_first_until_the_log_is_very_long(
    connection: sqlite3.Connection,
) -> None:
    lock_times = LockTimes()
    checkpointer = Checkpointer(lock_times)

    change(connection, OVERDUE - 1)
    checkpointer.checkpoint_if_due(connection, idle=False)
    assert checkpoint_count(lock_times) == 0

    change(connection, 1)
    checkpointer.checkpoint_if_due(connection, idle=False)
    assert checkpoint_count(lock_times) == 1


async def test_the_log_does_not_grow_with_the_database(path: Path) -> None:
    async with SQLiteDatabase(path, MemoryGuard()) as database:
        for first in range(0, 20 * DUE, 100):
            await database.write(partial(add, first=first, rows=100))
        log = path.with_name(path.name + "-wal").stat().st_size

        assert checkpoint_count(database.lock_times) >= 20 * DUE // (OVERDUE + 100)
        assert log < checkpoints.LAST_RESORT_PAGES * 4096 // 20


async def test_a_commit_never_folds_by_itself(path: Path) -> None:
    """SQLite's own way, which drops the error, is left for logs that no count foresees."""
    async with SQLiteDatabase(path, MemoryGuard()) as database:
        pages = await database.write(
            lambda connection: connection.exec_driver_sql("PRAGMA wal_autocheckpoint").scalar()
        )

    assert pages == checkpoints.LAST_RESORT_PAGES


@pytest.mark.parametrize(
    ("code", "latches"),
    [(sqlite3.SQLITE_IOERR_FSYNC, True), (sqlite3.SQLITE_FULL, False)],
)
async def test_a_fold_that_the_disk_fails_makes_the_store_read_only(
    path: Path, monkeypatch: pytest.MonkeyPatch, code: int, latches: bool
) -> None:
    def fail(*_: object, **__: object) -> None:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = code
        raise error

    async with SQLiteDatabase(path, MemoryGuard()) as database:
        monkeypatch.setattr(Checkpointer, "checkpoint_if_due", fail)
        expected = pytest.raises(RegistryReadOnly, match="disk I/O error")
        with expected if latches else nullcontext():
            # The first is durable all the same; its fold comes after its answer.
            for number in range(3):
                await database.write(partial(add, first=number, rows=1))
