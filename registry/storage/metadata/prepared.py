"""Prepared statements: compiled once, for units that run while others wait for the write lock.

SQLAlchemy spends on each run of a statement what SQLite needs for ten rows of it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Select, UpdateBase, bindparam, func, literal_column, select
from sqlalchemy.dialects import sqlite


class Prepared:
    """A statement all of whose values are ``bindparam``s."""

    def __init__(self, statement: UpdateBase) -> None:
        self._statement = statement
        compiled = statement.compile(dialect=sqlite.dialect(paramstyle="named"))
        self._text = str(compiled)
        literals = {name for name, value in compiled.params.items() if value is not None}
        assert not literals, "a literal would be lost"

    def all(self, connection: Connection, **values: Any) -> Sequence[Any]:
        """The rows that RETURNING returns, as tuples."""
        driver = connection.connection.driver_connection
        if isinstance(driver, sqlite3.Connection):
            return driver.execute(self._text, values).fetchall()
        return connection.execute(self._statement, values).all()

    def each(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Run it once with the values of each row."""
        driver = connection.connection.driver_connection
        if isinstance(driver, sqlite3.Connection):
            driver.executemany(self._text, rows)
        elif rows:
            connection.execute(self._statement, rows)


def values_of(parameter: str) -> Select[Any]:
    """The values of a list that is handed over as one parameter, by ``as_list``."""
    return select(_elements(parameter))


def columns_of(parameter: str, *places: int) -> Select[Any]:
    """Of a list of rows that is handed over as one parameter, these columns."""
    element = _elements(parameter)
    return select(*[func.json_extract(element, literal_column(f"'$[{n}]'")) for n in places])


def as_list(values: Sequence[Any]) -> str:
    return json.dumps(values)


def _elements(parameter: str) -> Any:
    return func.json_each(bindparam(parameter)).table_valued("value").c.value
