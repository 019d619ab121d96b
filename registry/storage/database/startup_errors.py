"""Startup errors: one sentence for each reason that a database cannot be opened, or trusted.

https://www.sqlite.org/rescode.html
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from alembic.util import CommandError
from sqlalchemy.exc import DatabaseError

from registry.errors import StartupError
from registry.storage.database.disk_errors import code_of

SENTENCES: Mapping[int, str] = MappingProxyType(
    {
        sqlite3.SQLITE_NOTADB: "is no database, or its first page is corrupt: restore a backup",
        sqlite3.SQLITE_CORRUPT: "is corrupt: restore a backup",
        sqlite3.SQLITE_FULL: "cannot be opened, because the disk is full: make room on it",
        sqlite3.SQLITE_IOERR: "cannot be read or written: see to the disk",
        sqlite3.SQLITE_CANTOPEN: "cannot be opened",
        sqlite3.SQLITE_PERM: "cannot be opened",
        sqlite3.SQLITE_READONLY: "cannot be written",
        sqlite3.SQLITE_BUSY: "is in use by another program: end that one first",
        sqlite3.SQLITE_LOCKED: "is in use by another program: end that one first",
    }
)
# https://www.sqlite.org/wal.html#walresetbug
FIXED_SQLITE = (3, 51, 3)
OTHER = "cannot be used as it is: restore a backup"


@contextlib.contextmanager
def startup_errors(database: Path) -> Iterator[None]:
    """Translate errors of SQLite and alembic in the block to StartupError."""
    try:
        yield
    except (DatabaseError, sqlite3.Error) as error:
        sentence = SENTENCES.get(code_of(error), OTHER)
        raise StartupError(f"{database} {sentence} ({getattr(error, 'orig', error)})") from error
    except CommandError as error:
        raise StartupError(f"{database} {OTHER} ({error})") from error


def sqlite_problem(version: Sequence[int] = sqlite3.sqlite_version_info) -> str | None:
    """A sentence if this SQLite is older than its fix of a bug that damages databases."""
    if tuple(version) >= FIXED_SQLITE:
        return None
    found, expected = (".".join(map(str, each)) for each in (version, FIXED_SQLITE))
    return (
        f"SQLite {found} can damage a database that several connections write, expected "
        f"{expected} or newer: this registry writes with one, an administrator's tools might not"
    )
