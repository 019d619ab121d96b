"""Blobs: queries on stored bytes, their physical names, and the repositories that have them."""

from __future__ import annotations

from collections.abc import Sequence
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
    memberships,
    repositories,
)
from registry.storage.metadata.trash import put
from registry.storage.retention import Lease, Leased

# A corrupt blob is treated as absent until it is pushed again.
_NOT_CORRUPT = text("blobs.state = 'ok'")


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """A blob's size in bytes, and the physical name of its file."""

    size: int
    physical: str


@dataclass(frozen=True, slots=True)
class Verification:
    """A blob, and the wall time at which its bytes last matched the digest."""

    blob: StoredBlob
    verified_at: int | None


def stored_blob(row: Any) -> StoredBlob:
    return StoredBlob(row[0], row[1])


# The blob, if a repository has it.
MEMBER = PointRead(
    select(blobs.c.size, blobs.c.physical)
    .select_from(repositories)
    .join(memberships, memberships.c.repository_id == repositories.c.id)
    .join(blobs, blobs.c.digest == memberships.c.digest)
    .where(repositories.c.name == bindparam("name"))
    .where(memberships.c.digest == bindparam("digest"))
    .where(_NOT_CORRUPT),
    "name",
    "digest",
    into=stored_blob,
)
# The blob in any repository.  Answers to clients must not depend on it.
BY_DIGEST = PointRead(
    select(blobs.c.size, blobs.c.physical)
    .where(blobs.c.digest == bindparam("digest"))
    .where(_NOT_CORRUPT),
    "digest",
    into=stored_blob,
)
VERIFICATION = PointRead(
    select(blobs.c.size, blobs.c.physical, blobs.c.verified_at)
    .where(blobs.c.digest == bindparam("digest"))
    .where(_NOT_CORRUPT),
    "digest",
    into=lambda row: Verification(stored_blob(row), row[2]),
)
# The upload session that last pushed the blob to a repository.
SESSION = PointRead(
    select(memberships.c.session)
    .join(repositories, repositories.c.id == memberships.c.repository_id)
    .where(repositories.c.name == bindparam("name"))
    .where(memberships.c.digest == bindparam("digest")),
    "name",
    "digest",
    into=lambda row: row[0],
)
# The blob's size and its lease, if a repository has it.
LEASED: PointRead[Leased[int]] = PointRead(
    select(blobs.c.size, memberships.c.lease_until, memberships.c.lease_epoch, epochs.COLUMN)
    .select_from(repositories)
    .join(memberships, memberships.c.repository_id == repositories.c.id)
    .join(blobs, blobs.c.digest == memberships.c.digest)
    .where(repositories.c.name == bindparam("name"))
    .where(memberships.c.digest == bindparam("digest"))
    .where(_NOT_CORRUPT),
    "name",
    "digest",
    into=lambda row: Leased(row[0], Lease(row[1], row[2]), row[3]),
)
# Whether a repository has the blob and it is marked corrupt.
IS_CORRUPT = PointRead(
    select(blobs.c.digest)
    .select_from(repositories)
    .join(memberships, memberships.c.repository_id == repositories.c.id)
    .join(blobs, blobs.c.digest == memberships.c.digest)
    .where(repositories.c.name == bindparam("name"))
    .where(memberships.c.digest == bindparam("digest"))
    .where(text("blobs.state = 'corrupt'")),
    "name",
    "digest",
    into=lambda _row: True,
)


def find_member(connection: Connection, name: RepositoryName, digest: Digest) -> StoredBlob | None:
    """The blob, if it is a member of this repository."""
    return MEMBER.first(connection, name, digest)


def renew_lease(connection: Connection, change: Change, repository: int, digest: Digest) -> None:
    """Renew the membership's lease."""
    key = (memberships.c.repository_id == repository) & (memberships.c.digest == str(digest))
    values = {"lease_until": change.lease.until, "lease_epoch": change.lease.epoch}
    connection.execute(update(memberships).where(key).values(**values))


def find(connection: Connection, digest: Digest) -> StoredBlob | None:
    """The blob in any repository.  Answers to clients must not depend on it."""
    return BY_DIGEST.first(connection, digest)


def exists(connection: Connection, digest: Digest) -> bool:
    """Whether the blob has a row, corrupt or not."""
    query = select(blobs.c.digest).where(blobs.c.digest == str(digest))
    return connection.scalar(query) is not None


def is_member(connection: Connection, repository: int, digest: Digest) -> bool:
    """Whether the repository has the blob, corrupt or not."""
    row = memberships.c
    query = select(row.digest).where(row.repository_id == repository, row.digest == str(digest))
    return connection.scalar(query) is not None


def add(
    connection: Connection, change: Change, digest: Digest, new: StoredBlob, *, corrupt: str | None
) -> bool:
    """Record new durable bytes unless good ones exist; true if the new ones were recorded.

    A digest whose bytes were collected gets a new physical name (rule GC-5).

    ``corrupt`` is a physical name whose bytes were found missing or wrong: they are replaced, as
    those of a row marked corrupt are, and the old file goes to the trash.
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
    if old.state == "ok" and old.physical != corrupt:
        return False
    put.move_replaced_to_trash(connection, change, digest, old.physical, old.size)
    connection.execute(
        update(blobs)
        .where(blobs.c.digest == str(digest))
        .values(size=new.size, physical=new.physical, state="ok", verified_at=change.at)
    )
    return True


def add_member(
    connection: Connection, change: Change, repository: int, digest: Digest, session: str | None
) -> bool:
    """Add the membership, set its lease, and link edges that name the blob; true if some are left.

    One that exists has its lease renewed (rule GC-2).
    """
    key = (memberships.c.repository_id == repository) & (memberships.c.digest == str(digest))
    values = {
        "lease_until": change.lease.until,
        "lease_epoch": change.lease.epoch,
        "session": session,
    }
    renewed = connection.execute(update(memberships).where(key).values(**values))
    if renewed.rowcount == 0:
        values |= {"repository_id": repository, "digest": str(digest), "pushed_at": change.at}
        connection.execute(insert(memberships).values(**values))
    return edges.link_blob(connection, repository, digest)


def remove_member(connection: Connection, change: Change, repository: int, digest: Digest) -> bool:
    """Remove the membership; bytes that no repository has any more go to the trash."""
    key = (memberships.c.repository_id == repository) & (memberships.c.digest == str(digest))
    if connection.execute(delete(memberships).where(key)).rowcount == 0:
        return False
    put.move_to_trash(connection, change, [(repository, str(digest))])
    return True


def mark_verified(connection: Connection, physicals: Sequence[str], at: int) -> None:
    """Record that these files were read at this wall time, and match their digests."""
    connection.execute(update(blobs).where(blobs.c.physical.in_(physicals)).values(verified_at=at))


def mark_corrupt(connection: Connection, physical: str) -> bool:
    """Mark the bytes as corrupt: treated as absent until they are pushed again.

    Selected by physical name: a push may have replaced them meanwhile.  False if no row names them,
    or they are marked already.
    """
    named = (blobs.c.physical == physical) & _NOT_CORRUPT
    return connection.execute(update(blobs).where(named).values(state="corrupt")).rowcount > 0


def repositories_with(
    connection: Connection, digest: Digest, *, last: str, limit: int
) -> list[RepositoryName]:
    """Up to ``limit`` repositories that have the blob, by name, after ``last``."""
    query = (
        select(repositories.c.name)
        .join(memberships, memberships.c.repository_id == repositories.c.id)
        .join(blobs, blobs.c.digest == memberships.c.digest)
        .where(memberships.c.digest == str(digest), _NOT_CORRUPT)
        .where(repositories.c.id.not_in(select(deleted_repositories.c.repository_id)))
        .where(repositories.c.name > last)
        .order_by(repositories.c.name)
        .limit(limit)
    )
    return [RepositoryName(name) for name in connection.scalars(query)]
