"""Edges: the digests that a manifest names, and whether the repository has them.

``child`` alone decides what is kept.  The links, ``blob`` and ``manifest``, are foreign keys: a
second check under every delete.  They follow in bounded units, so one may be missing for a while.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Select,
    Table,
    and_,
    bindparam,
    delete,
    exists,
    insert,
    or_,
    select,
    text,
    update,
)

from oci.digest import Digest
from registry.storage.database.point_read import PointRead
from registry.storage.metadata.tables import (
    blobs,
    manifest_edges,
    manifests,
    memberships,
    repositories,
)

# ``child``: an entry of an index, a manifest or, in BuildKit's caches, a blob.
# ``foreign``: a layer with URLs of its own; the repository may have it or not.
EdgeKind = Literal["config", "layer", "foreign", "child"]

# SQLite takes 32,766 parameters in a statement, and older ones 999.
DIGESTS_PER_BATCH = 500
# Edges that one unit links: 17 ms of CPU was measured for so many.
MAX_LINKS = 1000

# Written as the partial indexes have them.
_NO_BLOB = manifest_edges.c.blob.is_(None)
_NO_MANIFEST = and_(manifest_edges.c.manifest.is_(None), text("kind = 'child'"))


@dataclass(frozen=True, slots=True)
class Edge:
    """One descriptor of a manifest: the digest that it names, in the column ``child``."""

    kind: EdgeKind
    digest: Digest
    size: int


@dataclass(frozen=True, slots=True)
class Presence:
    """The digests, of those asked for, that a repository has as blobs and as manifests."""

    blobs: frozenset[str]
    manifests: frozenset[str]

    def has(self, edge: Edge) -> bool:
        if edge.kind == "child" and str(edge.digest) in self.manifests:
            return True
        return str(edge.digest) in self.blobs


def _unlinked() -> Select[Any]:
    """Of a repository by name: whether it has content that an edge is not linked to."""
    here, member, row = repositories.c.id, memberships.c, manifests.alias("row").c
    named = (manifest_edges.c.repository_id == here) & (
        manifest_edges.c.child == bindparam("digest")
    )
    is_member = (member.repository_id == here) & (member.digest == bindparam("digest"))
    is_manifest = (row.repository_id == here) & (row.digest == bindparam("digest"))
    return select(repositories.c.id).where(
        repositories.c.name == bindparam("name"),
        or_(
            exists().where(is_member) & exists().where(named, _NO_BLOB),
            exists().where(is_manifest) & exists().where(named, _NO_MANIFEST),
        ),
    )


# Whether ``link_some`` would find anything to do.
UNLINKED = PointRead(_unlinked(), "name", "digest", into=lambda _row: True)


def find_present(connection: Connection, repository: int, named: Sequence[Edge]) -> Presence:
    """Find which of the named digests the repository has."""
    digests = sorted({str(edge.digest) for edge in named})
    children = sorted({str(edge.digest) for edge in named if edge.kind == "child"})
    return Presence(
        frozenset(_members(connection, repository, digests)),
        frozenset(_among(connection, manifests, repository, children)),
    )


def insert_edges(
    connection: Connection, repository: int, parent: Digest, named: Sequence[Edge], here: Presence
) -> None:
    """Insert a manifest's edges; a digest that the repository lacks is marked absent."""
    rows = [
        {
            "repository_id": repository,
            "parent": str(parent),
            "position": position,
            "kind": edge.kind,
            "child": str(edge.digest),
            "size": edge.size,
            "blob": str(edge.digest) if str(edge.digest) in here.blobs else None,
            "manifest": (
                str(edge.digest)
                if edge.kind == "child" and str(edge.digest) in here.manifests
                else None
            ),
        }
        for position, edge in enumerate(named)
    ]
    if rows:
        connection.execute(insert(manifest_edges), rows)


def link_blob(connection: Connection, repository: int, digest: Digest) -> bool:
    """Link edges that name a blob, once the repository has it; true if some may be left.

    Clients' manifests may name it any number of times: one unit links up to MAX_LINKS.
    """
    some = _named(repository, digest, _NO_BLOB)
    return _set_some(connection, repository, some, manifest_edges.c.blob, str(digest))


def link_manifest(connection: Connection, repository: int, digest: Digest) -> bool:
    """Link the indexes that name a manifest, once the repository has it, as ``link_blob`` does."""
    some = _named(repository, digest, _NO_MANIFEST)
    return _set_some(connection, repository, some, manifest_edges.c.manifest, str(digest))


def link_some(connection: Connection, repository: int, digest: Digest) -> bool:
    """Link edges to what the repository still has of this digest; true if some may be left."""
    found = []
    if any(_among(connection, memberships, repository, [str(digest)])):
        found.append(link_blob(connection, repository, digest))
    if any(_among(connection, manifests, repository, [str(digest)])):
        found.append(link_manifest(connection, repository, digest))
    return any(found)


def unlink_some(connection: Connection, repository: int, digest: Digest) -> bool:
    """Mark a manifest absent in some of the indexes that name it; true if some may be left."""
    edge = manifest_edges.c
    some = (edge.repository_id == repository) & (edge.manifest == str(digest))
    return _set_some(connection, repository, some, edge.manifest, None)


def delete_edges(connection: Connection, repository: int, digest: Digest) -> None:
    """Delete a manifest's edges, and mark it absent in the last of those that name it.

    ``unlink_some`` comes before where many may.
    """
    edge = manifest_edges.c
    connection.execute(
        delete(manifest_edges).where(edge.repository_id == repository, edge.parent == str(digest))
    )
    connection.execute(
        update(manifest_edges)
        .where(edge.repository_id == repository, edge.manifest == str(digest))
        .values(manifest=None)
    )


def parent_of_blob(connection: Connection, repository: int, digest: Digest) -> Digest | None:
    """One manifest of the repository that names the blob; None if no manifest does."""
    edge = manifest_edges.c
    query = select(edge.parent).where(_named(repository, digest)).limit(1)
    parent = connection.scalar(query)
    return None if parent is None else Digest.parse(parent)


def _named(repository: int, digest: Digest, *absent: ColumnElement[bool]) -> ColumnElement[bool]:
    edge = manifest_edges.c
    return and_(edge.repository_id == repository, edge.child == str(digest), *absent)


def _set_some(
    connection: Connection,
    repository: int,
    some: ColumnElement[bool],
    column: Column[Any],
    value: str | None,
) -> bool:
    """Set the column in up to MAX_LINKS of some edges; true if it was as many."""
    edge = manifest_edges.c
    found = connection.execute(select(edge.parent, edge.position).where(some).limit(MAX_LINKS))
    keys = [{"of": row.parent, "at": row.position} for row in found]
    if keys:
        key = (edge.parent == bindparam("of")) & (edge.position == bindparam("at"))
        connection.execute(
            update(manifest_edges)
            .where(edge.repository_id == repository, key)
            .values({column: value}),
            keys,
        )
    return len(keys) == MAX_LINKS


def _members(connection: Connection, repository: int, digests: list[str]) -> Iterator[str]:
    for batch in _batches(digests):
        yield from connection.scalars(
            select(memberships.c.digest)
            .join(blobs, blobs.c.digest == memberships.c.digest)
            .where(memberships.c.repository_id == repository, memberships.c.digest.in_(batch))
            .where(text("blobs.state = 'ok'"))
        )


def _among(
    connection: Connection, table: Table, repository: int, digests: list[str]
) -> Iterator[str]:
    for batch in _batches(digests):
        yield from connection.scalars(
            select(table.c.digest).where(
                table.c.repository_id == repository, table.c.digest.in_(batch)
            )
        )


def _batches(digests: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(digests), DIGESTS_PER_BATCH):
        yield digests[start : start + DIGESTS_PER_BATCH]
