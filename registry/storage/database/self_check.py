"""Self-check: the errors that SQLite finds in its own file.

https://www.sqlite.org/pragma.html#pragma_integrity_check
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection


def find_errors(connection: Connection, *, deep: bool) -> Sequence[str]:
    """Errors of pages, a line each; ``deep`` also compares indexes with their tables."""
    check = "integrity_check" if deep else "quick_check"
    found = [str(row[0]) for row in connection.exec_driver_sql(f"PRAGMA {check}")]
    return [] if found == ["ok"] else found


def find_dangling_rows(connection: Connection) -> Sequence[str]:
    """Rows whose foreign key names a missing row, a line each."""
    rows = connection.exec_driver_sql("PRAGMA foreign_key_check")
    return [f"{table} row {row} names a row of {parent}" for table, row, parent, _ in rows]
