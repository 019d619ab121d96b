"""Garbage: the queries that find it, and the deletes that ask again before they delete.

What is found here is only a candidate.  Between finding and deleting it may have been pushed,
named or asked for: so each delete carries the whole condition, in its own transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    delete,
    exists,
    func,
    insert,
    literal,
    select,
    tuple_,
)

from oci.mediatype import INDEXES, MANIFESTS
from registry.storage.lifetimes import Bound
from registry.storage.metadata.acts import Act
from registry.storage.metadata.tables import (
    blobs,
    manifest_edges,
    manifests,
    repo_blobs,
    tags,
    trash,
    trash_members,
)

Key = tuple[int, str]
"""A row of ``repo_blobs`` or ``manifests``: repository and digest."""

START: Key = (0, "")
# Rows in a stretch: a snapshot held for long would keep the log from being folded.
SPAN = 2000


@dataclass(frozen=True, slots=True)
class Slice:
    """The candidates in one stretch of a table, and where the next stretch begins."""

    found: list[Key]
    next: Key | None


@dataclass(frozen=True, slots=True)
class Freed:
    """What one delete took away: memberships, and blobs that no repository has any more."""

    members: int = 0
    blobs: int = 0
    bytes: int = 0


def unused_members(bound: Bound, after: Key, connection: Connection) -> Slice:
    """Memberships that no manifest needs and no lease keeps, in the next stretch."""
    return _slice(connection, repo_blobs, _unused(bound), after)


def untagged_manifests(bound: Bound, after: Key, connection: Connection) -> Slice:
    """Manifests that nothing keeps, in the next stretch."""
    return _slice(connection, manifests, _unkept(bound), after)


def is_untagged(connection: Connection, bound: Bound, key: Key) -> bool:
    """Whether the manifest is one that nothing keeps, now."""
    query = select(manifests.c.digest).where(_is(manifests, key), _unkept(bound))
    return connection.scalar(query) is not None


def drop_members(connection: Connection, act: Act, bound: Bound, keys: Sequence[Key]) -> Freed:
    """End those of the memberships that are still unused; blobs nobody has go to the trash."""
    row = repo_blobs.c
    gone = connection.execute(
        delete(repo_blobs)
        .where(among(repo_blobs, keys), _unused(bound))
        .returning(row.repository_id, row.digest)
    ).all()
    return bury(connection, act, [(found.repository_id, found.digest) for found in gone])


def bury(connection: Connection, act: Act, gone: Sequence[Key]) -> Freed:
    """Remember memberships that have ended, and put blobs that nobody has into the trash."""
    if not gone:
        return Freed()
    connection.execute(delete(trash_members).where(among(trash_members, gone)))
    connection.execute(
        insert(trash_members),
        [
            {"repository_id": key[0], "digest": key[1], "deleted_at": act.at, "epoch": act.epoch}
            for key in gone
        ],
    )
    freed = connection.execute(
        delete(blobs)
        .where(blobs.c.digest.in_({digest for _, digest in gone}), _unclaimed())
        .returning(blobs.c.digest, blobs.c.size, blobs.c.physical)
    ).all()
    if freed:
        connection.execute(
            insert(trash),
            [
                {
                    "physical": blob.physical,
                    "digest": blob.digest,
                    "size": blob.size,
                    "deleted_at": act.at,
                    "epoch": act.epoch,
                    "run": act.identity,
                }
                for blob in freed
            ],
        )
    return Freed(len(gone), len(freed), sum(blob.size for blob in freed))


def among(table: Table, keys: Sequence[Key]) -> ColumnElement[bool]:
    """The rows with these keys.

    SQLite looks single values up in an index, and pairs only by reading the whole table.
    """
    pair = tuple_(table.c.repository_id, table.c.digest)
    return table.c.digest.in_({digest for _, digest in keys}) & pair.in_(keys)


def _unused(bound: Bound) -> ColumnElement[bool]:
    row, edge = repo_blobs.c, manifest_edges.c
    named = exists().where(edge.repository_id == row.repository_id, edge.blob == row.digest)
    return (row.lease_until <= bound.at) & (row.lease_epoch <= bound.epoch) & ~named


def _unclaimed() -> ColumnElement[bool]:
    return ~exists().where(repo_blobs.c.digest == blobs.c.digest)


def _unkept(bound: Bound) -> ColumnElement[bool]:
    """No tag, no parent, no living subject, no signature by tag, and no lease.

    What we cannot read we cannot judge: manifests of another media type are kept.
    """
    row, edge, subject = manifests.c, manifest_edges.c, manifests.alias("subject").c
    # cosign's tags, and those of the referrers fallback: sha256-<hex>, sha256-<hex>.sig, ….
    prefix = func.replace(row.digest, ":", "-")
    kept = (
        exists().where(tags.c.repository_id == row.repository_id, tags.c.digest == row.digest),
        exists().where(edge.repository_id == row.repository_id, edge.manifest == row.digest),
        exists().where(subject.repository_id == row.repository_id, subject.digest == row.subject),
        exists().where(
            tags.c.repository_id == row.repository_id,
            tags.c.name >= prefix,
            tags.c.name < prefix.concat(literal("/")),
        ),
    )
    condition = (row.lease_until <= bound.at) & (row.lease_epoch <= bound.epoch)
    condition &= row.media_type.in_(sorted(MANIFESTS | INDEXES))
    for reason in kept:
        condition &= ~reason
    return condition


def _slice(
    connection: Connection, table: Table, condition: ColumnElement[bool], after: Key
) -> Slice:
    key = tuple_(table.c.repository_id, table.c.digest)
    order = (table.c.repository_id, table.c.digest)
    ahead = select(*order).where(key > tuple_(*map(literal, after))).order_by(*order)
    end = connection.execute(ahead.limit(1).offset(SPAN - 1)).first()
    query = ahead.where(condition)
    if end is not None:
        query = query.where(key <= tuple_(*map(literal, tuple(end))))
    found = [(row.repository_id, row.digest) for row in connection.execute(query)]
    return Slice(found, None if end is None else (end.repository_id, end.digest))


def _is(table: Table, key: Key) -> Any:
    return (table.c.repository_id == key[0]) & (table.c.digest == key[1])
