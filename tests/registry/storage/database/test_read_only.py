"""Snapshots: the rows of a stopped registry, those of its log included, and not a byte changed."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from registry.errors import SchemaTooNew, StartupError
from registry.storage.database.read_only import Snapshot, readonly_parameters
from tests.support.registry import schema

ADD = "INSERT INTO repositories (name, created_at) VALUES (?, 1)"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A database whose file has ``first``, and whose log alone has ``second``."""
    path, source = tmp_path / "db", tmp_path / "source"
    schema.upgrade(source)
    with closing(sqlite3.connect(source)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(ADD, ("first",))
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute(ADD, ("second",))
        connection.commit()
        # As after a crash: the log is there, its index is not.
        for suffix in ("", "-wal"):
            path.with_name(f"db{suffix}").write_bytes(
                source.with_name(f"source{suffix}").read_bytes()
            )
    return path


def files(path: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in path.parent.glob("db*")}


async def names(path: Path) -> list[str]:
    with Snapshot.of(path) as rows:
        query = text("SELECT name FROM repositories ORDER BY name")
        return await rows.read(lambda connection: list(connection.scalars(query)))


async def test_rows_of_the_log_are_read_and_nothing_is_written(database: Path) -> None:
    before = files(database)

    assert await names(database) == ["first", "second"]

    assert files(database) == before


async def test_without_a_log_none_is_made(database: Path) -> None:
    database.with_name("db-wal").unlink()
    before = files(database)

    assert await names(database) == ["first"]

    assert files(database) == before


def parameters(path: Path) -> Iterator[str]:
    with readonly_parameters(path) as found:
        yield found


def test_an_index_that_was_there_stays(database: Path) -> None:
    index = database.with_name("db-shm")
    index.write_bytes(b"")

    assert list(parameters(database)) == ["readonly_shm=1"]

    assert index.exists()


@pytest.mark.parametrize(
    ("revision", "error"), [("0001", StartupError), ("of the future", SchemaTooNew)]
)
def test_another_schema_is_refused(
    database: Path, revision: str, error: type[StartupError]
) -> None:
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
        connection.commit()

    with pytest.raises(error), Snapshot.of(database):
        pass


def test_garbage_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "db"
    path.write_bytes(b"no database" * 1000)

    with pytest.raises(StartupError, match="db cannot be read as it is"), Snapshot.of(path):
        pass
