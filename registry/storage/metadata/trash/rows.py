"""Rows of the trash: files and memberships, their undelete targets, and expired rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    delete,
    exists,
    func,
    insert,
    literal,
    select,
    tuple_,
)

from oci.digest import Digest
from registry.storage.metadata import epochs
from registry.storage.metadata.audit import Change
from registry.storage.metadata.keys import among, up_to_bytes
from registry.storage.metadata.tables import (
    blobs,
    deleted_repositories,
    trash,
    trash_manifests,
    trash_members,
)
from registry.storage.retention import Cutoff


@dataclass(frozen=True, slots=True)
class TrashedFile:
    """A file on the disk that no blob row names any more."""

    physical: str
    digest: str
    size: int
    deleted_at: int = 0


def expired_files(
    connection: Connection, cutoff: Cutoff, limit: int, last: TrashedFile | None = None
) -> list[TrashedFile]:
    """Files whose undelete window is over, oldest first, after ``last``."""
    key = tuple_(trash.c.deleted_at, trash.c.physical)
    query = (
        select(trash.c.physical, trash.c.digest, trash.c.size, trash.c.deleted_at)
        .where(_due(trash, cutoff), _unnamed())
        .order_by(trash.c.deleted_at, trash.c.physical)
        .limit(limit)
    )
    if last is not None:
        query = query.where(key > tuple_(literal(last.deleted_at), literal(last.physical)))
    return [TrashedFile(*row) for row in connection.execute(query)]


def expired_bytes(cutoff: Cutoff, connection: Connection) -> tuple[int, int]:
    """The count of files whose undelete window is over, and their bytes."""
    query = select(func.count(), func.coalesce(func.sum(trash.c.size), 0)).select_from(trash)
    count, size = connection.execute(query.where(_due(trash, cutoff), _unnamed())).one()
    return count, size


def delete_files(connection: Connection, physicals: Sequence[str]) -> None:
    """Delete the rows of files that were removed from the disk."""
    connection.execute(delete(trash).where(trash.c.physical.in_(physicals)))


def has_expired_rows(connection: Connection, cutoff: Cutoff) -> bool:
    """Whether the undelete window of any manifest or membership is over."""
    return any(
        connection.scalar(select(literal(1)).where(exists().where(_due(table, cutoff)))) is not None
        for table in (trash_manifests, trash_members)
    )


def delete_expired_rows(connection: Connection, cutoff: Cutoff, limit: int) -> int:
    """Purge some of the manifests and memberships that are due; returns how many.

    A manifest may have 4 MiB, all of whose pages are freed: so few of those go at once.
    """
    rows = trash_manifests.c
    due = select(rows.id, rows.size).where(_due(trash_manifests, cutoff)).limit(limit)
    some = up_to_bytes([(found.id, found.size) for found in connection.execute(due)])
    count = connection.execute(delete(trash_manifests).where(rows.id.in_(some))).rowcount
    row = trash_members.c
    members = [
        (found.repository_id, found.digest)
        for found in connection.execute(
            select(row.repository_id, row.digest).where(_due(trash_members, cutoff)).limit(limit)
        )
    ]
    if members:
        connection.execute(delete(trash_members).where(among(trash_members, members)))
    return count + len(members)


@dataclass(frozen=True, slots=True)
class UndeleteTargets:
    """The repositories that content of the trash can be undeleted to."""

    repositories: tuple[int, ...]
    deleted: tuple[str, ...]
    """The names of deleted repositories that can be undeleted."""


def manifest_targets(connection: Connection, digest: Digest) -> UndeleteTargets:
    """The repositories that a manifest can be undeleted to."""
    return _places(connection, trash_manifests, digest)


def blob_targets(connection: Connection, digest: Digest) -> UndeleteTargets:
    """The repositories that a blob can be undeleted to."""
    return _places(connection, trash_members, digest)


def _places(connection: Connection, table: Table, digest: Digest) -> UndeleteTargets:
    gone = deleted_repositories.c
    query = (
        select(table.c.repository_id, gone.name, gone.cleared_at)
        .outerjoin(deleted_repositories, gone.repository_id == table.c.repository_id)
        .where(table.c.digest == str(digest))
        .order_by(table.c.repository_id)
        .distinct()
    )
    rows = connection.execute(query).all()
    return UndeleteTargets(
        tuple(row.repository_id for row in rows if row.name is None),
        tuple(row.name for row in rows if row.name is not None and row.cleared_at is None),
    )


def find_file(connection: Connection, digest: Digest) -> TrashedFile | None:
    """The newest file in the trash for the digest."""
    query = (
        select(trash.c.physical, trash.c.digest, trash.c.size)
        .where(trash.c.digest == str(digest), _unnamed())
        .order_by(trash.c.deleted_at.desc())
        .limit(1)
    )
    found = connection.execute(query).first()
    return None if found is None else TrashedFile(*found)


def undelete_file(connection: Connection, change: Change, file: TrashedFile) -> None:
    """Make the file the digest's blob again.  The digest must have no blob row."""
    connection.execute(delete(trash).where(trash.c.physical == file.physical))
    values = {"digest": file.digest, "size": file.size, "physical": file.physical}
    connection.execute(insert(blobs).values(**values, state="ok", created_at=change.at))


def delete_member(connection: Connection, repository: int, digest: Digest) -> None:
    """Delete the membership's row in the trash, once the blob is undeleted."""
    row = trash_members.c
    connection.execute(
        delete(trash_members).where(row.repository_id == repository, row.digest == str(digest))
    )


def _due(table: Table, cutoff: Cutoff) -> ColumnElement[bool]:
    return epochs.is_expired(cutoff, table.c.deleted_at, table.c.epoch)


def _unnamed() -> ColumnElement[bool]:
    """A second check: no blob row names this file."""
    return ~exists().where(blobs.c.physical == trash.c.physical)
