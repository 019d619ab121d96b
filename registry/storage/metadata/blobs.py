"""Blobs: the queries.  Which bytes exist, under which physical name, and in which repositories."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, text, update

from oci.digest import Digest
from oci.reference import RepositoryName
from registry.storage.database.point_read import PointRead
from registry.storage.metadata import edges, epochs
from registry.storage.metadata.audit import Change
from registry.storage.metadata.tables import (
    blobs,
    deleted_repositories,
    repo_blobs,
    repositories,
    trash,
)
from registry.storage.metadata.trash import put
from registry.storage.retention import Lease, Leased

# A corrupt blob is as good as absent, until the next push heals it.
_OK = text("blobs.state = 'ok'")


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """A blob's bytes: how many, and the name the store keeps them under."""

    size: int
    physical: str


@dataclass(frozen=True, slots=True)
class Verification:
    """A whole blob, and when its bytes were last compared with the digest, by the wall clock."""

    blob: StoredBlob
    verified_at: int | None


def stored_blob(row: Any) -> StoredBlob:
    return StoredBlob(row[0], row[1])


# Hot path: the blob, if a repository has it.
MEMBER = PointRead(
    select(blobs.c.size, blobs.c.physical)
    .select_from(repositories)
    .join(repo_blobs, repo_blobs.c.repository_id == repositories.c.id)
    .join(blobs, blobs.c.digest == repo_blobs.c.digest)
    .where(repositories.c.name == bindparam("name"))
    .where(repo_blobs.c.digest == bindparam("digest"))
    .where(_OK),
    "name",
    "digest",
    into=stored_blob,
)
# The blob, whoever has it.  Nothing a client sees may depend on this.
BY_DIGEST = PointRead(
    select(blobs.c.size, blobs.c.physical).where(blobs.c.digest == bindparam("digest")).where(_OK),
    "digest",
    into=stored_blob,
)
VERIFICATION = PointRead(
    select(blobs.c.size, blobs.c.physical, blobs.c.verified_at)
    .where(blobs.c.digest == bindparam("digest"))
    .where(_OK),
    "digest",
    into=lambda row: Verification(stored_blob(row), row[2]),
)
# The upload session that last pushed the blob to a repository.
SESSION = PointRead(
    select(repo_blobs.c.session)
    .join(repositories, repositories.c.id == repo_blobs.c.repository_id)
    .where(repositories.c.name == bindparam("name"))
    .where(repo_blobs.c.digest == bindparam("digest")),
    "name",
    "digest",
    into=lambda row: row[0],
)
# Hot path: the blob's size and its lease, if a repository has it.
LEASED: PointRead[Leased[int]] = PointRead(
    select(blobs.c.size, repo_blobs.c.lease_until, repo_blobs.c.lease_epoch, epochs.COLUMN)
    .select_from(repositories)
    .join(repo_blobs, repo_blobs.c.repository_id == repositories.c.id)
    .join(blobs, blobs.c.digest == repo_blobs.c.digest)
    .where(repositories.c.name == bindparam("name"))
    .where(repo_blobs.c.digest == bindparam("digest"))
    .where(_OK),
    "name",
    "digest",
    into=lambda row: Leased(row[0], Lease(row[1], row[2]), row[3]),
)
# Whether a repository has the blob, and its bytes are not what they were.
IS_CORRUPT = PointRead(
    select(blobs.c.digest)
    .select_from(repositories)
    .join(repo_blobs, repo_blobs.c.repository_id == repositories.c.id)
    .join(blobs, blobs.c.digest == repo_blobs.c.digest)
    .where(repositories.c.name == bindparam("name"))
    .where(repo_blobs.c.digest == bindparam("digest"))
    .where(text("blobs.state = 'corrupt'")),
    "name",
    "digest",
    into=lambda _row: True,
)


def find_member(connection: Connection, name: RepositoryName, digest: Digest) -> StoredBlob | None:
    """The blob, if this repository has it."""
    return MEMBER.first(connection, name, digest)


def renew_lease(connection: Connection, change: Change, repository: int, digest: Digest) -> None:
    """Begin the membership's lease anew."""
    key = (repo_blobs.c.repository_id == repository) & (repo_blobs.c.digest == str(digest))
    values = {"lease_until": change.lease_until, "lease_epoch": change.epoch}
    connection.execute(update(repo_blobs).where(key).values(**values))


def find(connection: Connection, digest: Digest) -> StoredBlob | None:
    """The blob, whoever has it.  Nothing a client sees may depend on this."""
    return BY_DIGEST.first(connection, digest)


def exists(connection: Connection, digest: Digest) -> bool:
    """Whether there is a row for the blob, be it corrupt."""
    query = select(blobs.c.digest).where(blobs.c.digest == str(digest))
    return connection.scalar(query) is not None


def is_member(connection: Connection, repository: int, digest: Digest) -> bool:
    """Whether the repository has the blob, be it corrupt."""
    row = repo_blobs.c
    query = select(row.digest).where(row.repository_id == repository, row.digest == str(digest))
    return connection.scalar(query) is not None


def add(
    connection: Connection, change: Change, digest: Digest, new: StoredBlob, *, broken: str | None
) -> bool:
    """Record durable bytes, or keep those we have; whether the new ones were taken.

    ``broken`` is a physical name whose bytes were found missing or cut short: those are
    replaced, as are corrupt ones, and what they leave goes to the trash.
    """
    query = select(blobs.c.physical, blobs.c.size, blobs.c.state).where(
        blobs.c.digest == str(digest)
    )
    old = connection.execute(query).one_or_none()
    if old is None:
        values = {
            "digest": str(digest),
            "state": "ok",
            "created_at": change.at,
            "verified_at": change.at,
        }
        connection.execute(insert(blobs).values(**values, size=new.size, physical=new.physical))
        return True
    if old.state == "ok" and old.physical != broken:
        return False
    trash_bytes(connection, change, digest, StoredBlob(old.size, old.physical))
    connection.execute(
        update(blobs)
        .where(blobs.c.digest == str(digest))
        .values(size=new.size, physical=new.physical, state="ok", verified_at=change.at)
    )
    return True


def add_member(
    connection: Connection, change: Change, repository: int, digest: Digest, session: str | None
) -> None:
    """Make the blob a member of the repository, with a lease, and whole what named it."""
    key = (repo_blobs.c.repository_id == repository) & (repo_blobs.c.digest == str(digest))
    values = {"lease_until": change.lease_until, "lease_epoch": change.epoch, "session": session}
    renewed = connection.execute(update(repo_blobs).where(key).values(**values))
    if renewed.rowcount == 0:
        values |= {"repository_id": repository, "digest": str(digest), "pushed_at": change.at}
        connection.execute(insert(repo_blobs).values(**values))
    edges.link_blob(connection, repository, digest)


def remove_member(connection: Connection, change: Change, repository: int, digest: Digest) -> bool:
    """End the blob's membership; bytes that no repository has go to the trash."""
    key = (repo_blobs.c.repository_id == repository) & (repo_blobs.c.digest == str(digest))
    if connection.execute(delete(repo_blobs).where(key)).rowcount == 0:
        return False
    put.move_to_trash(connection, change, [(repository, str(digest))])
    return True


def trash_bytes(connection: Connection, change: Change, digest: Digest, old: StoredBlob) -> None:
    """Put bytes that no row names any more into the trash."""
    values = {"physical": old.physical, "digest": str(digest), "size": old.size}
    connection.execute(
        insert(trash).values(**values, deleted_at=change.at, epoch=change.epoch, run=None)
    )


def mark_corrupt(connection: Connection, physical: str) -> bool:
    """The bytes are not what their row says: absent from now on, until a push heals them.

    By their physical name: a push may have put whole bytes in their place meanwhile.  False if
    no row names them, or they were marked before.
    """
    named = (blobs.c.physical == physical) & _OK
    return connection.execute(update(blobs).where(named).values(state="corrupt")).rowcount > 0


def repositories_with(
    connection: Connection, digest: Digest, *, last: str, limit: int
) -> list[RepositoryName]:
    """Some repositories that have the blob, after ``last`` in the order of their names."""
    query = (
        select(repositories.c.name)
        .join(repo_blobs, repo_blobs.c.repository_id == repositories.c.id)
        .join(blobs, blobs.c.digest == repo_blobs.c.digest)
        .where(repo_blobs.c.digest == str(digest), _OK)
        .where(repositories.c.id.not_in(select(deleted_repositories.c.repository_id)))
        .where(repositories.c.name > last)
        .order_by(repositories.c.name)
        .limit(limit)
    )
    return [RepositoryName(name) for name in connection.scalars(query)]
