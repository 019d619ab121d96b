"""Dry run: the rows that would be deleted after some others were."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from registry.storage.metadata import epochs
from registry.storage.metadata.keys import Key
from registry.storage.metadata.tables import blobs, manifest_edges, memberships
from registry.storage.retention import Cutoff

DIGESTS_PER_BATCH = 500


@dataclass(frozen=True, slots=True)
class FreeableBlob:
    """A blob whose last membership would be deleted."""

    digest: str
    size: int


def only_referenced_by(
    going: Collection[Key], manifest: Key, cutoff: Cutoff, connection: Connection
) -> list[Key]:
    """Blobs referenced by this manifest, and otherwise only by manifests being collected."""
    repository, parent = manifest
    edge, row = manifest_edges.c, memberships.c
    named = (
        select(edge.child)
        .join(memberships, (row.repository_id == edge.repository_id) & (row.digest == edge.child))
        .where(edge.repository_id == repository, edge.parent == parent)
        .where(epochs.is_expired(cutoff, row.lease_until, row.lease_epoch))
        .distinct()
    )
    found = []
    for digest in connection.scalars(named).all():
        parents = connection.scalars(
            select(edge.parent).where(edge.repository_id == repository, edge.child == digest)
        )
        if all((repository, each) in going for each in parents):
            found.append((repository, digest))
    return found


def only_members_of(ended: Collection[Key], connection: Connection) -> list[FreeableBlob]:
    """Blobs whose memberships are all among the given ones."""
    ending = Counter(digest for _, digest in ended)
    digests = sorted(ending)
    found = []
    for start in range(0, len(digests), DIGESTS_PER_BATCH):
        batch = digests[start : start + DIGESTS_PER_BATCH]
        query = (
            select(blobs.c.digest, blobs.c.size, func.count().label("members"))
            .join(memberships, memberships.c.digest == blobs.c.digest)
            .where(blobs.c.digest.in_(batch))
            .group_by(blobs.c.digest, blobs.c.size)
        )
        found += [
            FreeableBlob(row.digest, row.size)
            for row in connection.execute(query)
            if row.members == ending[row.digest]
        ]
    return found
