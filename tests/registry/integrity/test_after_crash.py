"""After a crash: a corrupt database is found, and nothing is written to it."""

import contextlib
import sqlite3
from pathlib import Path

import pytest

from registry.errors import RegistryReadOnly
from registry.integrity.after_crash import check_database
from tests.support.registry.storage import Service, a_service, push_blob


async def test_a_whole_database_stays_writable(service: Service) -> None:
    assert await check_database(service.state) == []
    await push_blob(service.repository(), b"content")


async def test_a_corrupt_database_is_written_no_more(tmp_path: Path) -> None:
    async with a_service(tmp_path / "root"):
        pass
    overwrite_page_of(tmp_path / "root" / "registry.db", "tag_history")

    async with a_service(tmp_path / "root") as service:
        found = await check_database(service.state)

        assert found
        with pytest.raises(RegistryReadOnly, match="the database is corrupt"):
            await push_blob(service.repository(), b"content")


def overwrite_page_of(database: Path, table: str) -> None:
    """Overwrite the head of the table's first page."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        query = "SELECT rootpage FROM sqlite_master WHERE name = ?"
        ((page,),) = connection.execute(query, (table,))
        ((size,),) = connection.execute("PRAGMA page_size")
    with database.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * 16)
