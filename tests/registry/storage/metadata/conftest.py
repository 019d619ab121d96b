"""A database with nothing in it, for what a query does to its rows."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

from tests.support.registry.rows import a_connection, a_repository


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    with a_connection(tmp_path / "db") as connection:
        yield connection


@pytest.fixture
def repository(connection: Connection) -> int:
    """The row id of ``team/app``."""
    return a_repository(connection)
