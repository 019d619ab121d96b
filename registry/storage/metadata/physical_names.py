"""Physical names: which of the store's names any row has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Column, Connection, select

from registry.storage.metadata.tables import blobs, trash, uploads

# SQLite takes 32,766 parameters in a statement, and older ones 999.
BATCH = 500


@dataclass(frozen=True, slots=True)
class ReferencedNames:
    """Physical names that blobs or the trash have, and sessions that are open."""

    physicals: frozenset[str]
    sessions: frozenset[str]


def referenced_names(
    connection: Connection, physicals: Sequence[str], sessions: Sequence[str]
) -> ReferencedNames:
    """Of these, the names that some row has, all in the snapshot of one transaction."""
    found = [
        *_among(connection, blobs.c.physical, physicals),
        *_among(connection, trash.c.physical, physicals),
    ]
    return ReferencedNames(frozenset(found), frozenset(_among(connection, uploads.c.id, sessions)))


def _among(connection: Connection, column: Column[str], names: Sequence[str]) -> Iterator[str]:
    for start in range(0, len(names), BATCH):
        batch = names[start : start + BATCH]
        yield from connection.scalars(select(column).where(column.in_(batch)))
