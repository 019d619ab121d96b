"""Point reads: one row by its key, by the driver or by SQLAlchemy."""

from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Connection, bindparam, select

from registry.storage.database.point_read import PointRead
from registry.storage.metadata.repositories import ID
from registry.storage.metadata.tables import repositories
from tests.support.registry.rows import NAME, OTHER, a_connection, a_repository


class OtherDriver:
    """A connection whose driver is not sqlite3's."""

    def __init__(self, real: Connection) -> None:
        self.connection = SimpleNamespace(driver_connection=None)
        self.execute = real.execute


@pytest.mark.parametrize("other", [False, True], ids=["sqlite3", "another driver"])
def test_a_row_is_found_by_its_key_or_not(tmp_path: Any, other: bool) -> None:
    with a_connection(tmp_path / "db") as connection:
        number = a_repository(connection)
        used: Any = OtherDriver(connection) if other else connection

        assert ID.first(used, NAME) == number
        assert ID.first(used, OTHER) is None


@pytest.mark.parametrize("parameters", [(), ("name", "more"), ("other",)])
def test_parameters_are_those_of_the_statement(parameters: tuple[str, ...]) -> None:
    statement = select(repositories.c.id).where(repositories.c.name == bindparam("name"))

    with pytest.raises(AssertionError, match="a parameter is missing, or one too many"):
        PointRead(statement, *parameters, into=tuple)


def test_as_many_values_are_given_as_there_are_parameters(tmp_path: Any) -> None:
    with a_connection(tmp_path / "db") as connection, pytest.raises(ValueError, match="zip"):
        ID.first(connection)
