"""Edges: the digests that a manifest names, and whether the repository has them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, Table, delete, insert, select, text, update

from oci.digest import Digest
from registry.storage.metadata.tables import blobs, manifest_edges, manifests, repo_blobs

# ``child``: an entry of an index, a manifest or, in BuildKit's caches, a blob.
# ``foreign``: a layer with URLs of its own; the repository may have it or not.
EdgeKind = Literal["config", "layer", "foreign", "child"]

# SQLite takes 32,766 parameters in a statement, and older ones 999.
DIGESTS_PER_BATCH = 500


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


def link_blob(connection: Connection, repository: int, digest: Digest) -> None:
    """Link the edges that name a blob, once the repository has it."""
    edge = manifest_edges.c
    connection.execute(
        update(manifest_edges)
        .where(edge.repository_id == repository, edge.child == str(digest), edge.blob.is_(None))
        .values(blob=str(digest))
    )


def link_manifest(connection: Connection, repository: int, digest: Digest) -> None:
    """Link the indexes that name a manifest, once the repository has it."""
    edge = manifest_edges.c
    connection.execute(
        update(manifest_edges)
        .where(edge.repository_id == repository, edge.child == str(digest))
        .where(edge.kind == "child", edge.manifest.is_(None))
        .values(manifest=str(digest))
    )


def delete_edges(connection: Connection, repository: int, digest: Digest) -> None:
    """Delete a manifest's edges, and mark it absent in the edges of its parents."""
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
    query = (
        select(edge.parent)
        .where(edge.repository_id == repository, edge.blob == str(digest))
        .limit(1)
    )
    parent = connection.scalar(query)
    return None if parent is None else Digest.parse(parent)


def _members(connection: Connection, repository: int, digests: list[str]) -> Iterator[str]:
    for batch in _batches(digests):
        yield from connection.scalars(
            select(repo_blobs.c.digest)
            .join(blobs, blobs.c.digest == repo_blobs.c.digest)
            .where(repo_blobs.c.repository_id == repository, repo_blobs.c.digest.in_(batch))
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
