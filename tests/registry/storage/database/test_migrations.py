"""Migrations killed at any statement, from every revision, and run again; data stays."""

import os
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Engine, event

from registry.storage.database import schema
from registry.storage.database.sqlite import sqlite_engine
from tests.support.memory import directory_in_memory

pytestmark = pytest.mark.takes(20)

REVISIONS = [script.revision for script in schema.scripts().walk_revisions()]
STATEMENTS = {"CREATE", "ALTER", "DROP", "INSERT", "UPDATE", "DELETE", "BEGIN", "COMMIT"}
MAX_STATEMENTS = 200


def make(path: Path, revision: str | None) -> None:
    """A database as the program of that revision left it, with a row."""
    if revision is None:
        return
    config = schema.alembic_config()
    engine = sqlite_engine(path)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        connection.exec_driver_sql("INSERT INTO repositories (name, created_at) VALUES ('kept', 1)")
    engine.dispose()


def definitions(path: Path) -> set[tuple[str, str]]:
    with sqlite3.connect(path) as connection:
        rows = set(connection.execute("SELECT name, sql FROM sqlite_master WHERE sql NOT NULL"))
    connection.close()
    return rows


def kept(path: Path) -> list[str]:
    with sqlite3.connect(path) as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM repositories")]
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
    return names


def die_at(statement: int, path: Path) -> bool:
    """Upgrade in a child that is killed at a statement; whether it was."""
    child = os.fork()
    if child == 0:
        count = 0

        def before(_connection: Any, _cursor: Any, text: str, *_rest: Any) -> None:
            nonlocal count
            count += text.split(None, 1)[0].upper() in STATEMENTS
            if count == statement:
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            event.listen(Engine, "before_cursor_execute", before)
            event.listen(Engine, "commit", lambda _connection: before(None, None, "COMMIT"))
            schema.upgrade(path)
            os._exit(0)
        finally:
            os._exit(3)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.waitstatus_to_exitcode(status) == 0
    return os.WIFSIGNALED(status)


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """In memory: a kill takes nothing from the page cache, and every run waited for its syncs."""
    with directory_in_memory(tmp_path) as directory:
        yield directory


@pytest.mark.parametrize("revision", [None, *REVISIONS[1:]])
def test_a_migration_killed_at_any_statement_runs_again(
    directory: Path, revision: str | None
) -> None:
    schema.upgrade(directory / "new")
    expected = definitions(directory / "new")
    make(directory / "old", revision)
    for statement in range(1, MAX_STATEMENTS):
        for part in directory.glob("db*"):
            part.unlink()
        if revision is not None:
            shutil.copy(directory / "old", directory / "db")

        was_killed = die_at(statement, directory / "db")
        schema.upgrade(directory / "db")

        assert definitions(directory / "db") == expected
        assert kept(directory / "db") == ([] if revision is None else ["kept"])
        if not was_killed:
            assert statement > 5
            return
    pytest.fail(f"still killed at statement {MAX_STATEMENTS}")


def test_an_open_upload_resumes_in_the_new_schema(tmp_path: Path) -> None:
    make(tmp_path / "db", "0003")
    row = ("a session", "team/app", "anonymous", "sha256", 12, 3)
    with sqlite3.connect(tmp_path / "db") as connection:
        connection.execute("INSERT INTO uploads VALUES (?, ?, ?, ?, ?, ?)", row)
    connection.close()

    schema.upgrade(tmp_path / "db")

    with sqlite3.connect(tmp_path / "db") as connection:
        found = connection.execute("SELECT * FROM uploads").fetchall()
    connection.close()
    assert found == [(*row, "", None, None)]


@pytest.mark.parametrize("revision", ["0001", "0004"])
def test_epochs_go_on_in_the_new_schema(tmp_path: Path, revision: str) -> None:
    make(tmp_path / "db", revision)
    with sqlite3.connect(tmp_path / "db") as connection:
        rows = [(6, "a boot", 10**12, 1), (7, "another", 3, 2)]
        connection.executemany("INSERT INTO epochs VALUES (?, ?, ?, ?)", rows)
    connection.close()

    schema.upgrade(tmp_path / "db")

    with sqlite3.connect(tmp_path / "db") as connection:
        found = connection.execute("SELECT number, watched_ms, begun_at FROM epochs").fetchall()
    connection.close()
    assert found == [(6, 0, 1), (7, 0, 2)]
