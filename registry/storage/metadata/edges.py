"""Edges: what manifests name, and whether the repository has it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, Table, delete, insert, select, text, update

from oci.digest import Digest
from registry.storage.metadata.tables import blobs, manifest_edges, manifests, repo_blobs

# ``child``: what an index names, a manifest, or a blob (BuildKit's caches).
# ``foreign``: a layer that lives elsewhere; it need not be here, but may be.
EdgeKind = Literal["config", "layer", "foreign", "child"]

# SQLite takes 32,766 parameters in a statement, and older ones 999.
BATCH = 500


@dataclass(frozen=True, slots=True)
class Edge:
    """One descriptor of a manifest."""

    kind: EdgeKind
    child: Digest
    size: int


@dataclass(frozen=True, slots=True)
class Presence:
    """Of some digests, those that a repository has: as blobs, as manifests."""

    blobs: frozenset[str]
    manifests: frozenset[str]

    def has(self, edge: Edge) -> bool:
        if edge.kind == "child" and str(edge.child) in self.manifests:
            return True
        return str(edge.child) in self.blobs


def find_present(connection: Connection, repository: int, named: Sequence[Edge]) -> Presence:
    """What the repository has of what is named."""
    digests = sorted({str(edge.child) for edge in named})
    children = sorted({str(edge.child) for edge in named if edge.kind == "child"})
    return Presence(
        frozenset(_members(connection, repository, digests)),
        frozenset(_among(connection, manifests, repository, children)),
    )


def insert_edges(
    connection: Connection, repository: int, parent: Digest, named: Sequence[Edge], here: Presence
) -> None:
    """Write a manifest's edges; what is not here is absent, and says so."""
    rows = [
        {
            "repository_id": repository,
            "parent": str(parent),
            "position": position,
            "kind": edge.kind,
            "child": str(edge.child),
            "size": edge.size,
            "blob": str(edge.child) if str(edge.child) in here.blobs else None,
            "manifest": (
                str(edge.child)
                if edge.kind == "child" and str(edge.child) in here.manifests
                else None
            ),
        }
        for position, edge in enumerate(named)
    ]
    if rows:
        connection.execute(insert(manifest_edges), rows)


def link_blob(connection: Connection, repository: int, digest: Digest) -> None:
    """A blob has come: the edges that name it are whole."""
    edge = manifest_edges.c
    connection.execute(
        update(manifest_edges)
        .where(edge.repository_id == repository, edge.child == str(digest), edge.blob.is_(None))
        .values(blob=str(digest))
    )


def link_manifest(connection: Connection, repository: int, digest: Digest) -> None:
    """A manifest has come: the indexes that name it are whole."""
    edge = manifest_edges.c
    connection.execute(
        update(manifest_edges)
        .where(edge.repository_id == repository, edge.child == str(digest))
        .where(edge.kind == "child", edge.manifest.is_(None))
        .values(manifest=str(digest))
    )


def delete_edges(connection: Connection, repository: int, digest: Digest) -> None:
    """A manifest goes: its edges with it, and those that name it are absent."""
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
    """A manifest of the repository that names the blob, if any does."""
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
    for start in range(0, len(digests), BATCH):
        yield digests[start : start + BATCH]
