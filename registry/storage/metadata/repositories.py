"""Repositories: the queries."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from oci.reference import RepositoryName
from registry.storage.database.point_read import PointRead
from registry.storage.metadata.audit import Change
from registry.storage.metadata.tables import deleted_repositories, repositories, uploads

ID = PointRead(
    select(repositories.c.id).where(repositories.c.name == bindparam("name")),
    "name",
    into=lambda row: int(row[0]),
)


def find(connection: Connection, name: RepositoryName) -> int | None:
    """The repository's row id, or None if it does not exist."""
    return ID.first(connection, name)


def ensure(connection: Connection, change: Change, name: RepositoryName) -> int:
    """The repository's row id; the first push creates the repository."""
    found = find(connection, name)
    if found is not None:
        return found
    row = connection.execute(
        insert(repositories)
        .values(name=str(name), created_at=change.at)
        .returning(repositories.c.id)
    )
    return int(row.scalar_one())


def mark_deleted(
    connection: Connection, change: Change, repository: int, name: RepositoryName
) -> None:
    """Mark the repository as deleted: no request finds it, and its uploads end.

    Its rows stay, under a name that no request can have, until they are deleted in batches.
    """
    row = repositories.c
    connection.execute(
        update(repositories).where(row.id == repository).values(name=f"{name}@{repository}")
    )
    connection.execute(
        insert(deleted_repositories).values(
            repository_id=repository,
            name=str(name),
            deleted_at=change.at,
            deleted_by=change.identity,
            epoch=change.epoch,
            cleared_at=None,
        )
    )
    connection.execute(delete(uploads).where(uploads.c.repository == str(name)))


def name_of(connection: Connection, repository: int) -> str:
    """The name for a row id."""
    query = select(repositories.c.name).where(repositories.c.id == repository)
    name: str = connection.execute(query).scalar_one()
    return name


def names_of(connection: Connection, found: Sequence[int]) -> dict[int, RepositoryName]:
    """The names of repositories that are not deleted, by row id."""
    row = repositories.c
    query = (
        select(row.id, row.name)
        .where(row.id.in_(found), row.id.not_in(select(deleted_repositories.c.repository_id)))
        .order_by(row.name)
    )
    return {each.id: RepositoryName(each.name) for each in connection.execute(query)}


def names(connection: Connection, *, last: str | None, limit: int | None) -> list[RepositoryName]:
    """Names after ``last`` in byte order; ``last`` need not exist."""
    query = (
        select(repositories.c.name)
        .where(repositories.c.id.not_in(select(deleted_repositories.c.repository_id)))
        .order_by(repositories.c.name)
        .limit(limit)
    )
    if last is not None:
        query = query.where(repositories.c.name > last)
    return [RepositoryName(name) for name in connection.scalars(query)]
