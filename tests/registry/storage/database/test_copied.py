"""Copied databases: the files that a backup needs, and a copy without upload sessions."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from registry.errors import CommandRefused
from registry.storage.database.copied import ReferencedFile, finish_copy, referenced_files
from tests.support.registry import schema


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "db"
    schema.upgrade(path)
    with closing(sqlite3.connect(path)) as connection:
        for statement in (
            "PRAGMA journal_mode = WAL",
            "INSERT INTO blobs (digest, size, physical, state, created_at)"
            " VALUES ('sha256:a', 1, 'a', 'ok', 1), ('sha256:b', 2, 'b', 'corrupt', 1)",
            "INSERT INTO trash (physical, digest, size, deleted_at, epoch)"
            " VALUES ('c', 'sha256:c', 3, 1, 1)",
            "INSERT INTO uploads (id, repository, identity, algorithm, created_at, idle_epoch)"
            " VALUES ('s', 'team/app', 'alice', 'sha256', 1, 1)",
        ):
            connection.execute(statement)
        connection.commit()
    return path


def test_blobs_and_trash_name_files(database: Path) -> None:
    assert list(referenced_files(database)) == [
        ReferencedFile("a", "sha256:a", 1, is_trash=False),
        ReferencedFile("b", "sha256:b", 2, is_trash=False),
        ReferencedFile("c", "sha256:c", 3, is_trash=True),
    ]


def test_a_corrupt_copy_is_refused(tmp_path: Path) -> None:
    (tmp_path / "db").write_bytes(b"no database" * 1000)

    with pytest.raises(CommandRefused, match="is corrupt"):
        list(referenced_files(tmp_path / "db"))


def test_a_finished_copy_is_one_file_without_sessions(database: Path) -> None:
    finish_copy(database)

    assert [each.name for each in database.parent.glob("db*")] == ["db"]
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT count(*) FROM uploads").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM blobs").fetchone() == (2,)
