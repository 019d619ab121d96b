"""Deleted repositories: rows deleted in batches, or undeleted as they were."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, delete, select, update

from oci.reference import RepositoryName
from registry.storage.metadata import epochs
from registry.storage.metadata.audit import GARBAGE_COLLECTOR, Change
from registry.storage.metadata.keys import Key, up_to_bytes
from registry.storage.metadata.tables import (
    deleted_repositories,
    manifest_edges,
    manifests,
    memberships,
    repositories,
    tags,
)
from registry.storage.metadata.trash import put
from registry.storage.metadata.trash.put import Freed
from registry.storage.retention import Cutoff

EDGES_PER_BATCH = 500


@dataclass(frozen=True, slots=True)
class DeletedRepository:
    """A repository that was deleted, and when."""

    repository: int
    name: str
    at: int
    epoch: int


@dataclass(frozen=True, slots=True)
class Deletion:
    """When a repository was deleted, in milliseconds of wall time, and by whom."""

    at: int
    identity: str


def find_expired(connection: Connection, cutoff: Cutoff) -> list[DeletedRepository]:
    """Deleted repositories whose undelete window is over, and that still have rows."""
    return _found(connection, _is_due(cutoff))


def find(connection: Connection, name: RepositoryName, cutoff: Cutoff) -> DeletedRepository | None:
    """The last deleted repository of that name, if it can still be undeleted."""
    row = deleted_repositories.c
    found = _found(connection, (row.name == str(name)) & ~_is_due(cutoff))
    return found[-1] if found else None


def deletions(connection: Connection, name: RepositoryName) -> list[Deletion]:
    """Every deletion, not undone, of a repository of that name, oldest first."""
    row = deleted_repositories.c
    query = (
        select(row.deleted_at, row.deleted_by)
        .where(row.name == str(name))
        .order_by(row.deleted_at, row.repository_id)
    )
    return [Deletion(*found) for found in connection.execute(query)]


def undelete(connection: Connection, deleted: DeletedRepository) -> None:
    """Undelete the repository.  No other one may have its name."""
    row = repositories.c
    connection.execute(
        update(repositories).where(row.id == deleted.repository).values(name=deleted.name)
    )
    connection.execute(delete(deleted_repositories).where(_is(deleted)))


def delete_some_rows(
    connection: Connection, deleted: DeletedRepository, limit: int
) -> Freed | None:
    """Delete some of its rows, referencing rows first; None once nothing is left.

    Its blobs go to the trash with the repository's deletion time, not the current one.
    """
    repository = deleted.repository
    names = select(tags.c.name).where(tags.c.repository_id == repository).limit(limit)
    if connection.execute(
        delete(tags).where(tags.c.repository_id == repository, tags.c.name.in_(names))
    ).rowcount:
        return Freed()
    if delete_some_edges(connection, repository) or delete_some_manifests(
        connection, repository, limit
    ):
        return Freed()
    row = memberships.c
    some = select(row.digest).where(row.repository_id == repository).limit(limit)
    gone = connection.execute(
        delete(memberships)
        .where(row.repository_id == repository, row.digest.in_(some))
        .returning(row.repository_id, row.digest)
    ).all()
    if not gone:
        return None
    change = Change(GARBAGE_COLLECTOR, deleted.at, deleted.epoch)
    return put.move_to_trash(connection, change, [(found[0], found[1]) for found in gone])


def delete_some_edges(connection: Connection, repository: int) -> int:
    """Delete some edges, of which one manifest may have 10,000; returns how many."""
    edge = manifest_edges.c
    here = edge.repository_id == repository
    query = select(edge.parent, edge.position).where(here).order_by(edge.parent, edge.position)
    found = connection.execute(query.limit(EDGES_PER_BATCH)).all()
    if found:
        # Two ranges of the index; either condition in one statement would read all edges.
        parent, position = found[-1]
        connection.execute(delete(manifest_edges).where(here, edge.parent < parent))
        rest = (edge.parent == parent) & (edge.position <= position)
        connection.execute(delete(manifest_edges).where(here, rest))
    return len(found)


def delete_some_manifests(connection: Connection, repository: int, limit: int) -> int:
    """Delete some manifests, whose edges must be deleted before; returns how many."""
    row = manifests.c
    query = select(row.digest, row.size).where(row.repository_id == repository).limit(limit)
    found = [(each.digest, each.size) for each in connection.execute(query)]
    some = up_to_bytes(found)
    connection.execute(
        delete(manifests).where(row.repository_id == repository, row.digest.in_(some))
    )
    return len(some)


def mark_cleared(connection: Connection, change: Change, deleted: DeletedRepository) -> None:
    """Record that all its rows are deleted; its name stays, for the history of its tags."""
    connection.execute(
        update(deleted_repositories).where(_is(deleted)).values(cleared_at=change.at)
    )


def members(connection: Connection, deleted: DeletedRepository) -> list[Key]:
    """The keys of its remaining memberships."""
    row = memberships.c
    query = select(row.repository_id, row.digest).where(row.repository_id == deleted.repository)
    return [(found[0], found[1]) for found in connection.execute(query)]


def _is(deleted: DeletedRepository) -> ColumnElement[bool]:
    return deleted_repositories.c.repository_id == deleted.repository


def _is_due(cutoff: Cutoff) -> ColumnElement[bool]:
    row = deleted_repositories.c
    return epochs.is_expired(cutoff, row.deleted_at, row.epoch)


def _found(connection: Connection, condition: ColumnElement[bool]) -> list[DeletedRepository]:
    row = deleted_repositories.c
    query = (
        select(row.repository_id, row.name, row.deleted_at, row.epoch)
        .where(row.cleared_at.is_(None), condition)
        .order_by(row.repository_id)
    )
    return [DeletedRepository(*found) for found in connection.execute(query)]
