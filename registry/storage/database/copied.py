"""Copied databases: what a backup reads and changes of the copy that it has made."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from registry.errors import CommandRefused


@dataclass(frozen=True, slots=True)
class ReferencedFile:
    """A file that the copied database names: of a blob, or in the trash.  ``size`` is in bytes."""

    physical: str
    digest: str
    size: int
    is_trash: bool


def referenced_files(database: Path) -> Iterator[ReferencedFile]:
    """Every file that a copied database names: blobs and trash.

    Raises CommandRefused if the copy is corrupt.
    """
    with contextlib.closing(sqlite3.connect(database)) as connection:
        try:
            for table in ("blobs", "trash"):
                query = f"SELECT physical, digest, size FROM {table}"  # noqa: S608 - of these two
                for physical, digest, size in connection.execute(query):
                    yield ReferencedFile(physical, digest, size, is_trash=table == "trash")
        except sqlite3.DatabaseError as error:
            raise CommandRefused(f"{database} is corrupt: {error}") from error


def finish_copy(database: Path) -> None:
    """Make the copied database a single file, without upload sessions."""
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
        connection.execute("DELETE FROM uploads")
