"""Physical names: which files of the store are named by a row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import Column, Connection, select

from registry.storage.blobs.contract import StoredFile
from registry.storage.metadata.tables import blobs, trash, uploads

# SQLite takes 32,766 parameters in a statement, and older ones 999.
NAMES_PER_BATCH = 500


def without_row(connection: Connection, listed: Sequence[StoredFile]) -> list[StoredFile]:
    """Of files that were listed before, those that no row names now, in their order.

    A blob's row names its physical name, and so does the trash.  Before that its session's row
    stands for it: the transaction that names the file takes that row.
    """
    names = [base_name(file) for file in listed]
    sessions = [file.session for file in listed if file.session]
    named = {
        *_among(connection, blobs.c.physical, names),
        *_among(connection, trash.c.physical, names),
        *_among(connection, uploads.c.id, sessions),
    }
    return [
        file
        for file, name in zip(listed, names, strict=True)
        if name not in named and file.session not in named
    ]


def base_name(file: StoredFile) -> str:
    """The last part of a file's name; the name of a misnamed file is its path."""
    return file.name.rpartition("/")[2]


def _among(connection: Connection, column: Column[str], names: Sequence[str]) -> Iterator[str]:
    for start in range(0, len(names), NAMES_PER_BATCH):
        batch = names[start : start + NAMES_PER_BATCH]
        yield from connection.scalars(select(column).where(column.in_(batch)))
