"""Preparing a root's database: a new one is created, a lost one is not replaced."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from registry.errors import SchemaTooNew, StartupError
from registry.storage import markers
from registry.storage.disk.root import DATABASE, Root
from registry.storage.prepare import prepare_database
from tests.support.registry.storage import a_service, push_blob


def prepare(path: Path) -> None:
    with Root.open(path) as root:
        prepare_database(root)


def tree(path: Path) -> dict[str, int]:
    """Every file under a root but the lock, with its size."""
    return {
        os.path.relpath(os.path.join(folder, name), path): (Path(folder) / name).stat().st_size
        for folder, _, names in os.walk(path)
        for name in names
        if name != "lock"
    }


def test_a_new_root_is_given_a_database_and_its_marker(tmp_path: Path) -> None:
    prepare(tmp_path / "root")

    assert set(tree(tmp_path / "root")) == {DATABASE, markers.CREATED}


def test_a_root_of_before_the_marker_is_given_one(tmp_path: Path) -> None:
    prepare(tmp_path)
    (tmp_path / markers.CREATED).unlink()

    prepare(tmp_path)

    assert (tmp_path / markers.CREATED).exists()


def removed(database: Path) -> None:
    database.unlink()


def emptied(database: Path) -> None:
    os.truncate(database, 0)


def without_tables(database: Path) -> None:
    database.unlink()
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")


@pytest.mark.parametrize("lose", [removed, emptied, without_tables])
@pytest.mark.parametrize("evidence", ["marker", "files"])
async def test_a_database_that_was_lost_is_not_begun_anew(
    tmp_path: Path, lose: Callable[[Path], None], evidence: str
) -> None:
    if evidence == "marker":
        prepare(tmp_path)
    else:
        async with a_service(tmp_path) as service:
            await push_blob(service.repository(), b"acknowledged")
    lose(tmp_path / DATABASE)
    before = tree(tmp_path)

    with pytest.raises(StartupError, match=f"{DATABASE} is missing or empty, but .* restore"):
        prepare(tmp_path)

    assert tree(tmp_path) == before


def test_a_creation_that_was_cut_short_begins_again(tmp_path: Path) -> None:
    without = tmp_path / DATABASE
    without.touch()
    without_tables(without)

    prepare(tmp_path)

    assert (tmp_path / markers.CREATED).exists()


async def test_a_log_that_was_removed_after_a_kill_is_missed(tmp_path: Path) -> None:
    async with a_service(tmp_path / "alive") as service:
        with Root.open_to_read(tmp_path) as _:
            pass
        await push_blob(service.repository(), b"acknowledged")
        # A kill leaves this: the log is not in the database yet.
        shutil.copytree(tmp_path / "alive", tmp_path / "killed")
    (tmp_path / "killed" / markers.OPEN).touch()
    (tmp_path / "killed" / markers.LOG).unlink()

    for _ in range(2):
        with pytest.raises(StartupError, match=f"the log {markers.LOG} is missing"):
            prepare(tmp_path / "killed")

    (tmp_path / "killed" / markers.OPEN).unlink()
    prepare(tmp_path / "killed")


def test_a_log_that_is_there_is_put_into_the_database(tmp_path: Path) -> None:
    prepare(tmp_path)
    (tmp_path / markers.OPEN).touch()
    (tmp_path / markers.LOG).touch()

    prepare(tmp_path)

    assert not (tmp_path / markers.OPEN).exists()


def test_the_marker_of_an_open_database_is_there_while_it_is_open(tmp_path: Path) -> None:
    prepare(tmp_path)
    with Root.open(tmp_path) as root:
        (tmp_path / markers.LOG).touch()

        with markers.expecting_log(root):
            assert (tmp_path / markers.OPEN).exists()

        assert not (tmp_path / markers.OPEN).exists()


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
