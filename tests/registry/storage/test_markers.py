"""Markers: a database that was lost, and a log that was removed, are missed."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from registry.errors import StartupError
from registry.storage import markers
from registry.storage.disk.root import DATABASE, Root
from tests.support.registry.prepared import prepare, tree, without_tables
from tests.support.registry.storage import a_service, push_blob


def test_a_root_of_before_the_marker_is_given_one(tmp_path: Path) -> None:
    prepare(tmp_path)
    (tmp_path / markers.CREATED).unlink()

    prepare(tmp_path)

    assert (tmp_path / markers.CREATED).exists()


def removed(database: Path) -> None:
    database.unlink()


def emptied(database: Path) -> None:
    os.truncate(database, 0)


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
