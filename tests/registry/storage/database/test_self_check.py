"""The self-check of SQLite's file: impossible rows, and indexes that disagree with their tables."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine

from registry.storage.database.self_check import find_dangling_rows, find_errors


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A table of some pages, and an index on it."""
    path = tmp_path / "db"
    with sqlite3.connect(path) as connection:
        connection.execute(
            "CREATE TABLE rows (a INTEGER PRIMARY KEY, b TEXT NOT NULL CHECK (b <> ''))"
        )
        connection.execute("CREATE INDEX by_b ON rows (b)")
        connection.executemany(
            "INSERT INTO rows VALUES (?, ?)", ((n, f"{n:0200}") for n in range(200))
        )
    connection.close()
    return path


def opened(path: Path) -> Iterator[Connection]:
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@pytest.mark.parametrize("deep", [False, True])
def test_a_whole_file_has_no_errors(database: Path, deep: bool) -> None:
    for connection in opened(database):
        assert find_errors(connection, deep=deep) == []


@pytest.mark.parametrize("deep", [False, True])
def test_a_row_that_no_statement_could_have_written_is_found(database: Path, deep: bool) -> None:
    with sqlite3.connect(database) as changed:
        changed.execute("PRAGMA ignore_check_constraints = ON")
        changed.execute("INSERT INTO rows VALUES (1000, '')")
    changed.close()

    for connection in opened(database):
        assert find_errors(connection, deep=deep) == ["CHECK constraint failed in rows"]


def test_only_a_deep_check_compares_an_index_with_its_table(database: Path) -> None:
    content = database.read_bytes()
    old, new = f"{150:0200}".encode(), f"{151:0199}x".encode()
    place = content.index(old)
    database.write_bytes(content[:place] + new + content[place + len(old) :])

    for connection in opened(database):
        shallow, deep = (find_errors(connection, deep=each) for each in (False, True))

    assert shallow == []
    assert any("by_b" in line for line in deep)


def test_a_row_whose_parent_is_missing_is_named_once(database: Path) -> None:
    with sqlite3.connect(database) as changed:
        changed.execute("CREATE TABLE children (a INTEGER REFERENCES rows (a))")
        changed.executemany("INSERT INTO children VALUES (?)", [(1,), (999,), (None,)])
    changed.close()

    for connection in opened(database):
        assert find_dangling_rows(connection) == ["children row 2 names a row of rows"]
