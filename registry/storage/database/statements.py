"""Prepared statements: compiled once, for units that hold the write lock.

SQLAlchemy's overhead per statement equals SQLite's work for ten rows, and each execution releases
the GIL once.  So many rows are passed as one parameter: a JSON list.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, UpdateBase, bindparam, func, literal_column, select
from sqlalchemy.dialects import sqlite


class Prepared:
    """A statement in which every value is a ``bindparam``."""

    def __init__(self, statement: UpdateBase | Select[Any]) -> None:
        self._statement = statement
        self._text, _ = compiled(statement)

    def run(self, connection: Connection, **values: Any) -> Sequence[Any]:
        """Run it; returns the rows of a select, or of RETURNING, as tuples."""
        driver = connection.connection.driver_connection
        if isinstance(driver, sqlite3.Connection):
            return driver.execute(self._text, values).fetchall()
        result = connection.execute(self._statement, values)
        return result.all() if result.returns_rows else ()


def compiled(statement: UpdateBase | Select[Any]) -> tuple[str, frozenset[str]]:
    """The statement's SQL for SQLite, and the names of its parameters."""
    found = statement.compile(dialect=sqlite.dialect(paramstyle="named"))
    assert all(value is None for value in found.params.values()), "a literal would be lost"
    return str(found), frozenset(found.params)


def values_of(parameter: str) -> Select[Any]:
    """The values of a list that is passed as one parameter by ``as_list``."""
    return select(_elements(parameter))


def columns_of(parameter: str, *places: int) -> Select[Any]:
    """Columns, by position, of a list of rows that is passed as one parameter by ``as_list``."""
    element = _elements(parameter)
    return select(*[func.json_extract(element, literal_column(f"'$[{n}]'")) for n in places])


def as_list(values: Sequence[Any]) -> str:
    return json.dumps(values)


def _elements(parameter: str) -> Any:
    return func.json_each(bindparam(parameter)).table_valued("value").c.value
