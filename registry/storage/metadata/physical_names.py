"""Physical names: which files of the store are named by a row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Column, Connection, select

from registry.storage.metadata.tables import blobs, trash, uploads

# SQLite takes 32,766 parameters in a statement, and older ones 999.
BATCH = 500


@dataclass(frozen=True, slots=True)
class ReferencedNames:
    """Physical names in blobs or the trash, and ids of open sessions."""

    physicals: frozenset[str]
    sessions: frozenset[str]


def referenced_names(
    connection: Connection, physicals: Sequence[str], sessions: Sequence[str]
) -> ReferencedNames:
    """The given names that some row has, in one snapshot."""
    found = [
        *_among(connection, blobs.c.physical, physicals),
        *_among(connection, trash.c.physical, physicals),
    ]
    return ReferencedNames(frozenset(found), frozenset(_among(connection, uploads.c.id, sessions)))


def _among(connection: Connection, column: Column[str], names: Sequence[str]) -> Iterator[str]:
    for start in range(0, len(names), BATCH):
        batch = names[start : start + BATCH]
        yield from connection.scalars(select(column).where(column.in_(batch)))
