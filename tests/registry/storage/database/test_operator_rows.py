"""The OperatorRows contract, on a database in use and on that of a stopped registry."""

import contextlib
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, select, text

from registry.errors import StorageUnreadable
from registry.storage.database import schema
from registry.storage.database.contract import OperatorRows
from registry.storage.database.read_only import Snapshot
from registry.storage.database.sqlite import SQLiteDatabase
from registry.storage.metadata.tables import repositories
from tests.support.registry.guards import MemoryGuard


def names(connection: Connection) -> list[str]:
    return list(connection.scalars(select(repositories.c.name)))


@pytest.fixture(params=["in use", "stopped"])
async def rows(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[OperatorRows]:
    """Rows with one repository, team/app."""
    schema.upgrade(tmp_path / "db")
    with contextlib.closing(sqlite3.connect(tmp_path / "db")) as connection:
        statement = insert(repositories).values(name="team/app", created_at=0)
        connection.execute(str(statement.compile(compile_kwargs={"literal_binds": True})))
        connection.commit()
    if request.param == "stopped":
        with Snapshot.of(tmp_path / "db") as snapshot:
            yield snapshot
        return
    async with SQLiteDatabase(tmp_path / "db", MemoryGuard()) as database:
        yield database.operator


async def test_a_unit_reads_the_rows(rows: OperatorRows) -> None:
    assert await rows.read(names) == ["team/app"]


async def test_a_unit_that_writes_is_refused(rows: OperatorRows) -> None:
    with pytest.raises(Exception, match="readonly database"):
        await rows.read(lambda connection: connection.execute(text("DELETE FROM repositories")))

    assert await rows.read(names) == ["team/app"]


@pytest.mark.parametrize("deep", [False, True])
async def test_a_whole_database_finds_no_errors_in_itself(rows: OperatorRows, deep: bool) -> None:
    assert await rows.find_errors(deep=deep) == await rows.find_dangling_rows() == []


async def test_a_row_that_leads_nowhere_is_found(rows: OperatorRows, tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "db")) as connection:
        connection.execute("INSERT INTO tags VALUES (7, 'v1', 'sha256:none', 1, 1)")
        connection.commit()

    assert await rows.find_errors(deep=True) == []
    assert await rows.find_dangling_rows() == ["tags row 1 names a row of manifests"]


async def test_a_copy_has_the_rows(rows: OperatorRows, tmp_path: Path) -> None:
    await rows.copy_to(tmp_path / "copy")

    with Snapshot.of(tmp_path / "copy") as copy:
        assert await copy.read(names) == ["team/app"]


async def test_a_failing_disk_is_translated(rows: OperatorRows) -> None:
    def fail(connection: Connection) -> None:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR
        raise error

    with pytest.raises(StorageUnreadable):
        await rows.read(fail)
