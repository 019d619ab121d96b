"""Preparing a root's database: a new one is created, a lost one is not replaced."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from registry.errors import SchemaTooNew, StartupError
from registry.storage import markers
from registry.storage.disk.root import DATABASE
from tests.support.registry.prepared import prepare, tree, without_tables


def test_a_new_root_is_given_a_database_and_its_marker(tmp_path: Path) -> None:
    prepare(tmp_path / "root")

    assert set(tree(tmp_path / "root")) == {DATABASE, markers.CREATED}


def test_a_creation_that_was_cut_short_begins_again(tmp_path: Path) -> None:
    without = tmp_path / DATABASE
    without.touch()
    without_tables(without)

    prepare(tmp_path)

    assert (tmp_path / markers.CREATED).exists()


def garbage_at_the_head(database: Path) -> None:
    with database.open("r+b") as file:
        file.write(b"\xff" * 300)


def garbage_throughout(database: Path) -> None:
    size = database.stat().st_size
    with database.open("r+b") as file:
        file.seek(200)
        file.write(b"\xff" * (size - 200))


def another_program_s_tables(database: Path) -> None:
    database.unlink()
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("CREATE TABLE repositories (x)")


def a_newer_schema(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (garbage_at_the_head, "is no database, or its first page is corrupt: restore a backup"),
        (garbage_throughout, "is corrupt: restore a backup"),
        (another_program_s_tables, "is missing or empty"),
        (a_newer_schema, "schema '9999', which this program does not know"),
    ],
)
def test_an_unusable_database_is_reported_in_a_sentence(
    tmp_path: Path, damage: Callable[[Path], None], sentence: str
) -> None:
    prepare(tmp_path)
    damage(tmp_path / DATABASE)

    with pytest.raises(StartupError, match=sentence) as caught:
        prepare(tmp_path)

    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, SchemaTooNew) is (damage is a_newer_schema)


def test_a_database_that_another_program_writes_is_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("registry.storage.database.sqlite.PRAGMAS", ("busy_timeout=1",))
    prepare(tmp_path)
    with closing(sqlite3.connect(tmp_path / DATABASE, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")

        with pytest.raises(StartupError, match="is in use by another program"):
            prepare(tmp_path)
