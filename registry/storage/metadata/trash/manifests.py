"""Trashed manifests: a manifest with its tags, from its deletion until it is undeleted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, delete, exists, insert, literal, select

from oci.digest import Digest
from oci.reference import Tag
from registry.storage.metadata.audit import Change
from registry.storage.metadata.tables import (
    blobs,
    manifest_edges,
    manifests,
    memberships,
    trash_manifests,
)


@dataclass(frozen=True, slots=True)
class TrashedManifest:
    """A deleted or collected manifest, its tags, and the digests that the repository had."""

    id: int
    media_type: str
    content: bytes
    tags: tuple[Tag, ...]
    present: frozenset[str]


def put_manifest(
    connection: Connection, change: Change, repository: int, digest: Digest, pointed: Sequence[Tag]
) -> bool:
    """Copy a manifest to the trash before its deletion; False if it is not here."""
    edge, row = manifest_edges.c, manifests.c
    present = connection.scalars(
        select(edge.child)
        .where(edge.repository_id == repository, edge.parent == str(digest))
        .where(edge.blob.is_not(None) | edge.manifest.is_not(None) | _is_here())
    )
    values = {
        "deleted_at": change.at,
        "deleted_by": change.identity,
        "epoch": change.epoch,
        "tags": json.dumps([str(tag) for tag in pointed]),
        "present": json.dumps(sorted(set(present))),
    }
    copied = ("repository_id", "digest", "media_type", "size", "content")
    source = select(
        *(manifests.c[name] for name in copied), *(literal(value) for value in values.values())
    ).where(row.repository_id == repository, row.digest == str(digest))
    kept = connection.execute(insert(trash_manifests).from_select([*copied, *values], source))
    return kept.rowcount == 1


def _is_here() -> ColumnElement[bool]:
    """Whether the repository has an edge's content, linked or not."""
    edge, row, member = manifest_edges.c, manifests.alias("child").c, memberships.c
    is_manifest = exists().where(
        row.repository_id == edge.repository_id, row.digest == edge.child, edge.kind == "child"
    )
    is_blob = exists().where(
        member.repository_id == edge.repository_id,
        member.digest == edge.child,
        blobs.c.digest == member.digest,
        blobs.c.state == "ok",
    )
    return is_manifest | is_blob


def find_manifest(
    connection: Connection, repository: int, digest: Digest
) -> TrashedManifest | None:
    """The manifest as it was at its last deletion."""
    row = trash_manifests.c
    found = connection.execute(
        select(row.id, row.media_type, row.content, row.tags, row.present)
        .where(row.repository_id == repository, row.digest == str(digest))
        .order_by(row.id.desc())
        .limit(1)
    ).first()
    if found is None:
        return None
    return TrashedManifest(
        found.id,
        found.media_type,
        found.content,
        tuple(Tag(name) for name in json.loads(found.tags)),
        frozenset(json.loads(found.present)),
    )


def delete_manifest(connection: Connection, repository: int, digest: Digest) -> None:
    """Delete the manifest's rows in the trash, once it is undeleted."""
    row = trash_manifests.c
    connection.execute(
        delete(trash_manifests).where(row.repository_id == repository, row.digest == str(digest))
    )
