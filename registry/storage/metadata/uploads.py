"""Upload sessions: the queries."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, insert, select

from oci.reference import RepositoryName
from registry.storage.metadata.acts import Act
from registry.storage.metadata.point import PointRead
from registry.storage.metadata.tables import uploads


@dataclass(frozen=True, slots=True)
class StoredUpload:
    """An open session: its id, and the algorithm its bytes are hashed with on the way in."""

    id: str
    algorithm: str


# Both the id and the repository: another repository's session is no session here.
_FIND = PointRead(
    select(uploads.c.id, uploads.c.algorithm)
    .where(uploads.c.id == bindparam("id"))
    .where(uploads.c.repository == bindparam("repository")),
    "id",
    "repository",
)


def add(
    connection: Connection, act: Act, name: RepositoryName, session: str, algorithm: str
) -> None:
    """Open a session; before its first byte, so that a sweep can tell its file from an orphan."""
    values = {"id": session, "repository": str(name), "algorithm": algorithm}
    connection.execute(
        insert(uploads).values(
            **values, identity=act.identity, created_at=act.at, idle_epoch=act.epoch
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
