"""Upload sessions: the queries."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, func, insert, select

from oci.reference import RepositoryName
from registry.storage.database.point_read import PointRead
from registry.storage.metadata.audit import Change
from registry.storage.metadata.tables import uploads


@dataclass(frozen=True, slots=True)
class StoredUpload:
    """An open session: its id, and the algorithm its bytes are hashed with on the way in."""

    id: str
    algorithm: str


@dataclass(frozen=True, slots=True)
class OpenUpload:
    """An open session: whose it is and since when."""

    id: str
    repository: RepositoryName
    created_at: int
    idle_epoch: int


# Both the id and the repository: another repository's session is no session here.
_FIND = PointRead(
    select(uploads.c.id, uploads.c.algorithm)
    .where(uploads.c.id == bindparam("id"))
    .where(uploads.c.repository == bindparam("repository")),
    "id",
    "repository",
)


def add(
    connection: Connection, change: Change, name: RepositoryName, session: str, algorithm: str
) -> None:
    """Open a session; before its first byte, so that a sweep can tell its file from an orphan."""
    values = {"id": session, "repository": str(name), "algorithm": algorithm}
    connection.execute(
        insert(uploads).values(
            **values, identity=change.identity, created_at=change.at, idle_epoch=change.epoch
        )
    )


def find(connection: Connection, name: RepositoryName, session: str) -> StoredUpload | None:
    row = _FIND.first(connection, session, str(name))
    return None if row is None else StoredUpload(row[0], row[1])


def take(connection: Connection, name: RepositoryName, session: str) -> bool:
    """End the session; False if another has ended it.  Whoever takes it owns its bytes."""
    taken = connection.execute(
        delete(uploads).where(uploads.c.id == session, uploads.c.repository == str(name))
    )
    return taken.rowcount == 1


def opened(connection: Connection) -> list[OpenUpload]:
    """Every open session, the oldest first; a setting bounds how many there are."""
    row = uploads.c
    query = select(row.id, row.repository, row.created_at, row.idle_epoch).order_by(row.created_at)
    return [
        OpenUpload(found.id, RepositoryName(found.repository), found.created_at, found.idle_epoch)
        for found in connection.execute(query)
    ]


def count(connection: Connection, identity: str) -> tuple[int, int]:
    """How many sessions are open: the identity's, and all."""
    total = select(func.count()).select_from(uploads)
    own = total.where(uploads.c.identity == identity)
    return connection.scalar(own) or 0, connection.scalar(total) or 0
