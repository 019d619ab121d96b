"""Checks: queries for rows that break a rule, for files that rows expect, and for scrub."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, exists, select, text, tuple_

from oci.digest import Digest
from oci.errors import OCIError
from registry.storage.metadata.audit import chained
from registry.storage.metadata.edges import Edge
from registry.storage.metadata.tables import (
    audit,
    blobs,
    corrupt_manifests,
    manifest_edges,
    manifests,
    repositories,
    trash_manifests,
    uploads,
)

BLOBS_PER_BATCH = 1000
MANY_TAGS = 100


@dataclass(frozen=True, slots=True)
class BlobRow:
    """A blob's row."""

    digest: str
    size: int
    physical: str
    state: str


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """A manifest's row and its edges."""

    repository_id: int
    repository: str
    digest: str
    media_type: str
    size: int
    content: bytes
    is_marked_corrupt: bool
    edges: tuple[Edge, ...]


@dataclass(frozen=True, slots=True)
class TrashedRow:
    """A row of a manifest in the trash; its lists are still JSON."""

    id: int
    repository: str
    digest: str
    media_type: str
    size: int
    content: bytes
    tags: str
    present: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule on rows: a query for the rows that break it and the tags they affect."""

    invariant: str
    found: str
    expected: str
    query: str
    is_edge: bool = False
    """Whether the query's first column is a digest that edges are not linked to; it is kept by
    them all the same, and linked by the next push."""


# Columns of each query: the finding's subject, then the repository and digest whose tags it
# affects.
RULES = (
    Rule(
        "I4",
        "its bytes are in the trash",
        "bytes that only one row names",
        "SELECT blobs.digest, NULL, blobs.digest FROM blobs JOIN trash USING (physical)",
    ),
    Rule(
        "I4",
        "an edge says that the blob is absent",
        "an edge to the blob, which is here; the next push links it",
        "SELECT DISTINCT e.child, e.repository_id, e.parent FROM manifest_edges e"
        " JOIN repo_blobs m ON m.repository_id = e.repository_id AND m.digest = e.child"
        " JOIN blobs b ON b.digest = m.digest AND b.state = 'ok' WHERE e.blob IS NULL",
        is_edge=True,
    ),
    Rule(
        "I4",
        "an edge says that the manifest is absent",
        "an edge to the manifest, which is here; the next push links it",
        "SELECT DISTINCT e.child, e.repository_id, e.parent FROM manifest_edges e"
        " JOIN manifests m ON m.repository_id = e.repository_id AND m.digest = e.child"
        " WHERE e.manifest IS NULL AND e.kind = 'child'",
        is_edge=True,
    ),
    Rule(
        "I4",
        "the tag's last change in its history is another",
        "the tag where its history left it",
        "SELECT r.name || ':' || t.name, t.repository_id, t.digest FROM tags t"
        " JOIN repositories r ON r.id = t.repository_id WHERE NOT EXISTS ("
        " SELECT 1 FROM tag_history h WHERE h.repository_id = t.repository_id AND h.tag = t.name"
        " AND h.version = t.version AND h.digest = t.digest)",
    ),
)


def rule_violations(connection: Connection, rule: Rule) -> list[tuple[str, int | None, str]]:
    return [(row[0], row[1], row[2]) for row in connection.execute(text(rule.query))]


def blobs_after(connection: Connection, last: str) -> list[BlobRow]:
    query = (
        select(blobs.c.digest, blobs.c.size, blobs.c.physical, blobs.c.state)
        .where(blobs.c.digest > last)
        .order_by(blobs.c.digest)
        .limit(BLOBS_PER_BATCH)
    )
    return [BlobRow(*row) for row in connection.execute(query)]


def least_verified(connection: Connection, before: int, now: int, limit: int) -> list[BlobRow]:
    """Up to ``limit`` blobs last verified before a time, oldest first, corrupt ones excepted.

    A verification later than ``now`` was written by a clock that was ahead, and does not count.
    """
    verified = blobs.c.verified_at
    due = verified.is_(None) | (verified < before) | (verified > now)
    query = (
        select(blobs.c.digest, blobs.c.size, blobs.c.physical, blobs.c.state)
        .where(text("blobs.state = 'ok'"), due)
        .order_by(verified)
        .limit(limit)
    )
    return [BlobRow(*row) for row in connection.execute(query)]


def is_unchanged(connection: Connection, row: BlobRow) -> bool:
    """Whether the blob's row is still the one that was checked."""
    key = (blobs.c.digest == row.digest) & (blobs.c.physical == row.physical)
    return bool(connection.scalar(select(exists().where(key, blobs.c.state == row.state))))


def open_sessions(connection: Connection) -> list[tuple[str, str]]:
    """Every open session and its repository."""
    return [
        (row[0], row[1]) for row in connection.execute(select(uploads.c.id, uploads.c.repository))
    ]


def manifests_after(connection: Connection, last: tuple[int, str]) -> list[ManifestRow]:
    """The next page of manifests with their edges, ordered by repository and digest."""
    return _manifests(connection, _row_key > last)


def is_manifest_unchanged(connection: Connection, row: ManifestRow) -> bool:
    """Whether the manifest's row and edges are still those that were checked."""
    return _manifests(connection, _row_key == (row.repository_id, row.digest)) == [row]


_row_key = tuple_(manifests.c.repository_id, manifests.c.digest)


def _manifests(connection: Connection, condition: ColumnElement[bool]) -> list[ManifestRow]:
    query = (
        select(
            manifests.c.repository_id,
            repositories.c.name,
            manifests.c.digest,
            manifests.c.media_type,
            manifests.c.size,
            manifests.c.content,
            corrupt_manifests.c.digest.is_not(None),
        )
        .join(repositories, repositories.c.id == manifests.c.repository_id)
        .outerjoin(
            corrupt_manifests,
            (corrupt_manifests.c.repository_id == manifests.c.repository_id)
            & (corrupt_manifests.c.digest == manifests.c.digest),
        )
        .where(condition)
        .order_by(manifests.c.repository_id, manifests.c.digest)
        .limit(100)
    )
    rows = connection.execute(query).all()
    return [
        ManifestRow(
            repository_id=row[0],
            repository=row[1],
            digest=row[2],
            media_type=row[3],
            size=row[4],
            content=row[5],
            is_marked_corrupt=row[6],
            edges=edges_of(connection, row[0], row[2]),
        )
        for row in rows
    ]


def trashed_after(connection: Connection, last: int) -> list[TrashedRow]:
    """The next page of manifests in the trash, ordered by id."""
    row = trash_manifests.c
    query = (
        select(
            row.id,
            repositories.c.name,
            row.digest,
            row.media_type,
            row.size,
            row.content,
            row.tags,
            row.present,
        )
        .join(repositories, repositories.c.id == row.repository_id)
        .where(row.id > last)
        .order_by(row.id)
        .limit(100)
    )
    return [TrashedRow(*found) for found in connection.execute(query)]


def edges_of(connection: Connection, repository: int, parent: str) -> tuple[Edge, ...]:
    edge = manifest_edges.c
    query = (
        select(edge.kind, edge.child, edge.size)
        .where(edge.repository_id == repository, edge.parent == parent)
        .order_by(edge.position)
    )
    # A child that is no digest is skipped: comparing the edges with the manifest then fails.
    return tuple(
        Edge(row.kind, Digest.parse(row.child), row.size)
        for row in connection.execute(query)
        if is_digest(row.child)
    )


def is_digest(text: str) -> bool:
    try:
        Digest.parse(text)
    except OCIError:
        return False
    return True


_AFFECTED = """
WITH RECURSIVE up(repository_id, digest) AS (
  {start}
  UNION
  SELECT e.repository_id, e.parent FROM up JOIN manifest_edges e
    ON e.repository_id = up.repository_id AND e.child = up.digest
)
SELECT DISTINCT r.name || ':' || t.name FROM up
  JOIN tags t ON t.repository_id = up.repository_id AND t.digest = up.digest
  JOIN repositories r ON r.id = t.repository_id ORDER BY 1 LIMIT :many
"""
_BY_BLOB = _AFFECTED.format(
    start="SELECT repository_id, digest FROM repo_blobs WHERE digest = :digest"
)
_BY_MANIFEST = _AFFECTED.format(start="SELECT :repository, :digest")


def tags_on_blob(connection: Connection, digest: str) -> tuple[str, ...]:
    """The first 100 tags, of any repository, that cannot be pulled without the blob."""
    return tuple(connection.scalars(text(_BY_BLOB), {"digest": digest, "many": MANY_TAGS}))


def tags_on_manifest(connection: Connection, repository: int, digest: str) -> tuple[str, ...]:
    """The first 100 tags that cannot be pulled without the manifest."""
    values = {"repository": repository, "digest": digest, "many": MANY_TAGS}
    return tuple(connection.scalars(text(_BY_MANIFEST), values))


def mismatched_audit_rows(connection: Connection) -> list[int]:
    """The ids of audit rows whose hash does not follow from their content and the previous hash."""
    broken, previous = [], ""
    for row in connection.execute(select(audit).order_by(audit.c.id)).mappings():
        if row["hash"] != chained(previous, dict(row)):
            broken.append(int(row["id"]))
        previous = row["hash"]
    return broken
