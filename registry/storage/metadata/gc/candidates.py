"""Candidates: the queries that find garbage, and the deletes that check again.

A row found here is only a candidate.  Before its deletion it may be pushed, named or asked for, so
each delete repeats the whole condition in its own transaction (rules GC-1, GC-3 and GC-4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    bindparam,
    delete,
    exists,
    func,
    literal,
    select,
    tuple_,
)

from oci.mediatype import INDEXES, MANIFESTS
from registry.storage.database.statements import Prepared, as_list, columns_of
from registry.storage.metadata import epochs
from registry.storage.metadata.audit import Change
from registry.storage.metadata.keys import Key
from registry.storage.metadata.tables import (
    manifest_edges,
    manifests,
    memberships,
    tags,
)
from registry.storage.metadata.trash import put
from registry.storage.metadata.trash.put import Freed
from registry.storage.retention import Cutoff

START: Key = (0, "")
# Rows per read: a long read snapshot would keep checkpoints from finishing.
ROWS_PER_BATCH = 2000


@dataclass(frozen=True, slots=True)
class CandidatePage:
    """The candidates in one page of a table, and the key where the next page begins."""

    found: list[Key]
    next: Key | None


def unused_members(cutoff: Cutoff, after: Key, connection: Connection) -> CandidatePage:
    """Memberships without an edge and with an expired lease, in the page after a key."""
    return _page(connection, memberships, _unused(cutoff.at, cutoff.epoch, cutoff.beyond), after)


def untagged_manifests(cutoff: Cutoff, after: Key, connection: Connection) -> CandidatePage:
    """Manifests that nothing keeps, in the page after a key."""
    return _page(connection, manifests, _unkept(cutoff), after)


def size_if_untagged(connection: Connection, cutoff: Cutoff, key: Key) -> int | None:
    """The manifest's bytes, if it is one that nothing keeps, now; None if not."""
    query = select(manifests.c.size).where(_is(manifests, key), _unkept(cutoff))
    return connection.scalar(query)


def delete_members(
    connection: Connection, change: Change, cutoff: Cutoff, keys: Sequence[Key]
) -> Freed:
    """Delete the memberships that are still unused; blobs without any go to the trash."""
    values = {"at": cutoff.at, "epoch": cutoff.epoch, "beyond": cutoff.beyond}
    gone = _DELETE_MEMBERS.run(connection, keys=as_list(keys), **values)
    return put.move_to_trash(connection, change, gone)


def _unused(at: Any, epoch: Any, beyond: Any) -> ColumnElement[bool]:
    """No manifest of any media type names the blob (rule GC-6), and its lease is over."""
    row, edge = memberships.c, manifest_edges.c
    named = exists().where(edge.repository_id == row.repository_id, edge.child == row.digest)
    return epochs.is_expired_by(row.lease_until, row.lease_epoch, at, epoch, beyond) & ~named


def _unkept(cutoff: Cutoff) -> ColumnElement[bool]:
    """No tag, no parent, no living subject, no signature by tag, and no lease (rules GC-7, GC-8).

    Manifests of an unknown media type are kept: their references cannot be read.
    """
    row, edge, subject = manifests.c, manifest_edges.c, manifests.alias("subject").c
    # cosign's tags, and those of the referrers fallback: sha256-<hex>, sha256-<hex>.sig, ….
    prefix = func.replace(row.digest, ":", "-")
    kept = (
        exists().where(tags.c.repository_id == row.repository_id, tags.c.digest == row.digest),
        exists().where(
            edge.repository_id == row.repository_id, edge.child == row.digest, edge.kind == "child"
        ),
        exists().where(subject.repository_id == row.repository_id, subject.digest == row.subject),
        exists().where(
            tags.c.repository_id == row.repository_id,
            tags.c.name >= prefix,
            tags.c.name < prefix.concat(literal("/")),
        ),
    )
    condition = epochs.is_expired(cutoff, row.lease_until, row.lease_epoch)
    condition &= row.media_type.in_(sorted(MANIFESTS | INDEXES))
    for reason in kept:
        condition &= ~reason
    return condition


def _page(
    connection: Connection, table: Table, condition: ColumnElement[bool], after: Key
) -> CandidatePage:
    key = tuple_(table.c.repository_id, table.c.digest)
    order = (table.c.repository_id, table.c.digest)
    ahead = select(*order).where(key > tuple_(*map(literal, after))).order_by(*order)
    end = connection.execute(ahead.limit(1).offset(ROWS_PER_BATCH - 1)).first()
    query = ahead.where(condition)
    if end is not None:
        query = query.where(key <= tuple_(*map(literal, tuple(end))))
    found = [(row.repository_id, row.digest) for row in connection.execute(query)]
    return CandidatePage(found, None if end is None else (end.repository_id, end.digest))


def _is(table: Table, key: Key) -> Any:
    return (table.c.repository_id == key[0]) & (table.c.digest == key[1])


_DELETE_MEMBERS = Prepared(
    delete(memberships)
    .where(
        # As in ``among``: the first condition is the one that an index serves.
        memberships.c.digest.in_(columns_of("keys", 1)),
        tuple_(memberships.c.repository_id, memberships.c.digest).in_(columns_of("keys", 0, 1)),
        _unused(bindparam("at"), bindparam("epoch"), bindparam("beyond")),
    )
    .returning(memberships.c.repository_id, memberships.c.digest)
)
