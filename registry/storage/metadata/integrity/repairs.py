"""Repairs: changes to rows that contradict each other or the files."""

from __future__ import annotations

from sqlalchemy import Connection, delete, select, text, update

from oci.digest import Digest
from oci.reference import Tag
from registry.storage.metadata import blobs, edges, manifests, tags
from registry.storage.metadata import tables as t
from registry.storage.metadata.audit import Change
from registry.storage.metadata.integrity.checks import ManifestRow, is_digest, is_manifest_unchanged

_NO_BLOB = text(
    "blob IS NOT NULL AND NOT EXISTS (SELECT 1 FROM repo_blobs m"
    " WHERE m.repository_id = manifest_edges.repository_id AND m.digest = manifest_edges.blob)"
)
_NO_MANIFEST = text(
    "manifest IS NOT NULL AND NOT EXISTS (SELECT 1 FROM manifests m"
    " WHERE m.repository_id = manifest_edges.repository_id"
    " AND m.digest = manifest_edges.manifest)"
)
_NO_PARENT = text(
    "NOT EXISTS (SELECT 1 FROM manifests m WHERE m.repository_id = manifest_edges.repository_id"
    " AND m.digest = manifest_edges.parent)"
)
_NO_BYTES = text("NOT EXISTS (SELECT 1 FROM blobs b WHERE b.digest = repo_blobs.digest)")
_UNHELD = text(
    "SELECT t.repository_id, t.name FROM tags t WHERE NOT EXISTS (SELECT 1 FROM manifests m"
    " WHERE m.repository_id = t.repository_id AND m.digest = t.digest)"
)


def mark_blob_corrupt(connection: Connection, physical: str) -> str:
    """Mark the bytes as corrupt: treated as absent until they are pushed again."""
    return "marked corrupt" if blobs.mark_corrupt(connection, physical) else ""


def mark_manifest_corrupt(connection: Connection, change: Change, row: ManifestRow) -> str:
    """Mark a manifest as corrupt, as ``mark_blob_corrupt`` does, unless it has changed since."""
    if not is_manifest_unchanged(connection, row):
        return ""
    if not is_digest(row.digest):
        return ""
    digest = Digest.parse(row.digest)
    is_new = manifests.mark_corrupt(connection, change, row.repository_id, digest)
    return "marked corrupt" if is_new else ""


def delete_dangling_rows(connection: Connection, change: Change) -> str:
    """Delete tags and memberships, and mark edges absent, whose target does not exist."""
    count = 0
    for repository, name in connection.execute(_UNHELD).all():
        count += tags.set_tag(connection, change, repository, Tag(name), None)
    count += connection.execute(delete(t.manifest_edges).where(_NO_PARENT)).rowcount
    lost = connection.execute(select(t.memberships.c.digest).where(_NO_BYTES)).scalars().all()
    for digest in lost:
        edge = t.manifest_edges
        count += connection.execute(
            update(edge).where(edge.c.blob == digest).values(blob=None)
        ).rowcount
        count += connection.execute(
            delete(t.memberships).where(t.memberships.c.digest == digest)
        ).rowcount
    edge = t.manifest_edges
    count += connection.execute(update(edge).where(_NO_BLOB).values(blob=None)).rowcount
    count += connection.execute(update(edge).where(_NO_MANIFEST).values(manifest=None)).rowcount
    return f"{count} rows made absent" if count else ""


def link_edges(connection: Connection, digest: str) -> bool:
    """Link edges to content that is here, as many as one unit may; true if some may be left."""
    edge = t.manifest_edges.c
    parents = connection.scalars(
        select(edge.repository_id).where(edge.child == digest).distinct()
    ).all()
    named = Digest.parse(digest)
    return any(edges.link_some(connection, repository, named) for repository in parents)
