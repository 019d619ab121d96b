"""Repositories: the queries."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, insert, select

from oci.reference import RepositoryName
from registry.storage.metadata.acts import Act
from registry.storage.metadata.point import PointRead
from registry.storage.metadata.tables import deleted_repositories, repositories

_ID = PointRead(
    select(repositories.c.id).where(repositories.c.name == bindparam("name")),
    "name",
)


def find(connection: Connection, name: RepositoryName) -> int | None:
    """The repository's row id, or None where nothing was ever pushed."""
    row = _ID.first(connection, str(name))
    return None if row is None else int(row[0])


def ensure(connection: Connection, act: Act, name: RepositoryName) -> int:
    """The repository's row id; the first thing pushed makes the repository."""
    found = find(connection, name)
    if found is not None:
        return found
    row = connection.execute(
        insert(repositories).values(name=str(name), created_at=act.at).returning(repositories.c.id)
    )
    return int(row.scalar_one())


def names(connection: Connection, *, last: str | None, limit: int | None) -> list[RepositoryName]:
    """Names after ``last`` in byte order; ``last`` need not be there."""
    query = (
        select(repositories.c.name)
        .where(repositories.c.id.not_in(select(deleted_repositories.c.repository_id)))
        .order_by(repositories.c.name)
        .limit(limit)
    )
    if last is not None:
        query = query.where(repositories.c.name > last)
    return [RepositoryName(name) for name in connection.scalars(query)]
