"""Manifests: the queries; every insert and delete of a manifest goes through here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    bindparam,
    delete,
    exists,
    insert,
    select,
    update,
)

from oci.digest import Digest
from oci.reference import RepositoryName, Tag
from registry.storage.database.point_read import PointRead
from registry.storage.metadata import edges, epochs
from registry.storage.metadata.audit import Change
from registry.storage.metadata.keys import stored_digest, up_to_bytes
from registry.storage.metadata.tables import (
    corrupt_manifests,
    manifest_edges,
    manifests,
    repositories,
    tags,
)
from registry.storage.metadata.trash import manifests as trashed_manifests
from registry.storage.retention import Lease, Leased

R = TypeVar("R")

# Manifest rows per transaction: a few milliseconds of the write lock.
ROWS_PER_BATCH = 100


@dataclass(frozen=True, slots=True)
class NewManifest:
    """The columns of a manifest to be inserted."""

    digest: Digest
    media_type: str
    content: bytes
    artifact_type: str | None
    subject: Digest | None
    annotations: str


@dataclass(frozen=True, slots=True)
class StoredManifest:
    """A manifest as it was pushed: exact bytes, exact media type."""

    digest: Digest
    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class ManifestHead:
    """A manifest without its bytes, as a HEAD shows it; ``size`` in bytes."""

    digest: Digest
    media_type: str
    size: int


# A corrupt manifest is treated as absent until it is pushed again.
_NOT_CORRUPT = ~exists().where(
    corrupt_manifests.c.repository_id == manifests.c.repository_id,
    corrupt_manifests.c.digest == manifests.c.digest,
)


@dataclass(frozen=True, slots=True)
class ByReference(Generic[R]):
    """A read of a manifest, by a tag or by its digest."""

    by_tag: PointRead[R]
    by_digest: PointRead[R]

    @classmethod
    def of(cls, *columns: ColumnElement[Any], into: Callable[[Any], R]) -> ByReference[R]:
        """Of the manifest's digest, and these columns."""
        return cls(
            PointRead(_by_tag(*columns), "repository", "tag", into=into),
            PointRead(_by_digest(*columns), "repository", "digest", into=into),
        )

    def by(self, reference: Tag | Digest) -> PointRead[R]:
        return self.by_tag if isinstance(reference, Tag) else self.by_digest


def _by_tag(*columns: ColumnElement[Any]) -> Select[Any]:
    # The tag's digest, not the manifest's: it is the digest the tag was pushed with.
    return (
        select(tags.c.digest, *columns)
        .select_from(repositories)
        .join(tags, tags.c.repository_id == repositories.c.id)
        .join(
            manifests,
            (manifests.c.repository_id == tags.c.repository_id)
            & (manifests.c.digest == tags.c.digest),
        )
        .where(repositories.c.name == bindparam("repository"))
        .where(tags.c.name == bindparam("tag"))
        .where(_NOT_CORRUPT)
    )


def _by_digest(*columns: ColumnElement[Any]) -> Select[Any]:
    return (
        select(manifests.c.digest, *columns)
        .select_from(repositories)
        .join(manifests, manifests.c.repository_id == repositories.c.id)
        .where(repositories.c.name == bindparam("repository"))
        .where(manifests.c.digest == bindparam("digest"))
        .where(_NOT_CORRUPT)
    )


def _head(row: Any) -> ManifestHead:
    return ManifestHead(stored_digest(row[0]), row[1], row[2])


CONTENT: ByReference[StoredManifest] = ByReference.of(
    manifests.c.media_type,
    manifests.c.content,
    into=lambda row: StoredManifest(stored_digest(row[0]), row[1], row[2]),
)
HEAD: ByReference[ManifestHead] = ByReference.of(
    manifests.c.media_type, manifests.c.size, into=_head
)
LEASED: ByReference[Leased[ManifestHead]] = ByReference.of(
    manifests.c.media_type,
    manifests.c.size,
    manifests.c.lease_until,
    manifests.c.lease_epoch,
    epochs.COLUMN,
    into=lambda row: Leased(_head(row), Lease(row[3], row[4]), row[5]),
)


def find_head(
    connection: Connection, name: RepositoryName, reference: Tag | Digest
) -> ManifestHead | None:
    """The manifest without its bytes, or None if the repository lacks it."""
    return HEAD.by(reference).first(connection, name, reference)


def media_type(connection: Connection, repository: int, digest: Digest) -> str | None:
    """The media type the manifest was pushed with, or None if the repository lacks it."""
    return connection.scalar(select(manifests.c.media_type).where(_key(repository, digest)))


def put(connection: Connection, change: Change, repository: int, new: NewManifest) -> None:
    """Insert a manifest with a lease, and link indexes that name it, as many as one unit may."""
    connection.execute(
        insert(manifests).values(
            repository_id=repository,
            digest=str(new.digest),
            media_type=new.media_type,
            artifact_type=new.artifact_type,
            subject=None if new.subject is None else str(new.subject),
            annotations=new.annotations,
            pushed_at=change.at,
            pushed_by=change.identity,
            lease_until=change.lease.until,
            lease_epoch=change.lease.epoch,
            size=len(new.content),
            content=new.content,
        )
    )
    edges.link_manifest(connection, repository, new.digest)


def mark_corrupt(connection: Connection, change: Change, repository: int, digest: Digest) -> bool:
    """Mark the manifest as corrupt: absent until it is pushed again.  True if newly marked."""
    values = {"repository_id": repository, "digest": str(digest), "found_at": change.at}
    known = select(corrupt_manifests.c.found_at).where(
        corrupt_manifests.c.repository_id == repository,
        corrupt_manifests.c.digest == str(digest),
    )
    if connection.scalar(known) is not None or media_type(connection, repository, digest) is None:
        return False
    connection.execute(insert(corrupt_manifests).values(**values))
    return True


def replace_corrupt(connection: Connection, repository: int, new: NewManifest) -> bool:
    """Replace a corrupt manifest's bytes, marked or not; true if it was corrupt.

    Its old edges are deleted: the caller inserts the new ones.
    """
    unmarked = connection.execute(
        delete(corrupt_manifests).where(
            corrupt_manifests.c.repository_id == repository,
            corrupt_manifests.c.digest == str(new.digest),
        )
    )
    differs = _key(repository, new.digest) & (manifests.c.content != new.content)
    query = select(manifests.c.digest).where(differs)
    if unmarked.rowcount == 0 and connection.scalar(query) is None:
        return False
    connection.execute(
        update(manifests)
        .where(_key(repository, new.digest))
        .values(
            media_type=new.media_type,
            artifact_type=new.artifact_type,
            subject=None if new.subject is None else str(new.subject),
            annotations=new.annotations,
            size=len(new.content),
            content=new.content,
        )
    )
    edge = manifest_edges.c
    connection.execute(
        delete(manifest_edges).where(
            edge.repository_id == repository, edge.parent == str(new.digest)
        )
    )
    return True


def renew_lease(connection: Connection, change: Change, repository: int, digest: Digest) -> None:
    """Renew the lease of a manifest that was pushed again, or lost a tag or parent."""
    connection.execute(
        update(manifests)
        # An update reads the whole row, content included, under the lock: not worth a few minutes.
        .where(_key(repository, digest), _is_older(change))
        .values(lease_until=change.lease.until, lease_epoch=change.lease.epoch)
    )


def remove(
    connection: Connection,
    change: Change,
    repository: int,
    digest: Digest,
    pointed: Sequence[Tag] = (),
) -> bool:
    """Move a manifest to the trash; false if it is not here.  Its tags must be removed first.

    Its children and referrers, which nothing else may keep, get a new lease.
    """
    if not trashed_manifests.put_manifest(connection, change, repository, digest, pointed):
        return False
    for kept in _kept_by(repository, digest):
        connection.execute(
            update(manifests)
            .where(kept, _is_older(change))
            .values(lease_until=change.lease.until, lease_epoch=change.lease.epoch)
        )
    edges.delete_edges(connection, repository, digest)
    connection.execute(delete(manifests).where(_key(repository, digest)))
    return True


def renew_some_dependents(
    connection: Connection, change: Change, repository: int, digest: Digest
) -> int:
    """Renew the leases of some children and referrers of the manifest; returns how many.

    Each update rewrites a whole row, content included, so one transaction renews only a few.
    """
    for kept in _kept_by(repository, digest):
        query = select(manifests.c.digest, manifests.c.size).where(kept, _is_older(change))
        found = connection.execute(query.limit(ROWS_PER_BATCH))
        some = up_to_bytes([(row.digest, row.size) for row in found])
        if some:
            connection.execute(
                update(manifests)
                .where(manifests.c.repository_id == repository, manifests.c.digest.in_(some))
                .values(lease_until=change.lease.until, lease_epoch=change.lease.epoch)
            )
            return len(some)
    return 0


def _kept_by(repository: int, digest: Digest) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """The conditions for a manifest's children, and for its referrers."""
    row, edge = manifests.c, manifest_edges.c
    children = select(edge.child).where(
        edge.repository_id == repository, edge.parent == str(digest), edge.kind == "child"
    )
    here = row.repository_id == repository
    return here & row.digest.in_(children), here & (row.subject == str(digest))


def _is_older(change: Change) -> ColumnElement[bool]:
    """Whether the lease is clearly older than one that begins now."""
    row = manifests.c
    return (row.lease_until < change.lease.until - change.lease_ms // 10) | (
        row.lease_epoch < change.lease.epoch
    )


def _key(repository: int, digest: Digest) -> Any:
    return (manifests.c.repository_id == repository) & (manifests.c.digest == str(digest))
