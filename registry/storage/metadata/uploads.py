"""Upload sessions: the queries.

Clients' sessions are selected by id and repository: none is found from another one (rule AZ-7).
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, func, insert, select, true, update

from oci.reference import RepositoryName
from registry.storage.database.point_read import PointRead
from registry.storage.metadata.audit import Change
from registry.storage.metadata.tables import uploads


@dataclass(frozen=True, slots=True)
class StoredUpload:
    """An open session: its id, and the algorithm that its bytes are hashed with."""

    id: str
    algorithm: str
    touched_at: int
    """Approximate time of its last request, in milliseconds of wall time."""
    identity: str = ""
    created_at: int = 0


@dataclass(frozen=True, slots=True)
class OpenUpload:
    """An open session: repository, identity, client address, and its times."""

    id: str
    repository: RepositoryName
    identity: str
    address: str
    created_at: int
    created_epoch: int
    touched_at: int
    touched_epoch: int


_TOUCHED_AT = func.coalesce(uploads.c.touched_at, uploads.c.created_at)
_TOUCHED_EPOCH = func.coalesce(uploads.c.touched_epoch, uploads.c.idle_epoch)

FIND = PointRead(
    select(
        uploads.c.id,
        uploads.c.algorithm,
        _TOUCHED_AT,
        uploads.c.identity,
        uploads.c.created_at,
    )
    .where(uploads.c.id == bindparam("id"))
    .where(uploads.c.repository == bindparam("repository")),
    "id",
    "repository",
    into=lambda row: StoredUpload(*row),
)


def add(
    connection: Connection,
    change: Change,
    name: RepositoryName,
    session: str,
    algorithm: str,
    address: str = "",
) -> None:
    """Insert a session's row, before its file exists: a file without a row is an orphan."""
    values = {"id": session, "repository": str(name), "algorithm": algorithm, "address": address}
    connection.execute(
        insert(uploads).values(
            **values, identity=change.identity, created_at=change.at, idle_epoch=change.epoch
        )
    )


def touch(connection: Connection, change: Change, session: str) -> None:
    """Record the time of a request to the session."""
    connection.execute(
        update(uploads)
        .where(uploads.c.id == session)
        .values(touched_at=change.at, touched_epoch=change.epoch)
    )


def end(connection: Connection, name: RepositoryName, session: str) -> bool:
    """Delete the session's row; False if it is gone.  The unit that deletes it owns the bytes."""
    ended = connection.execute(
        delete(uploads).where(uploads.c.id == session, uploads.c.repository == str(name))
    )
    return ended.rowcount == 1


def list_open(connection: Connection) -> list[OpenUpload]:
    """Every open session, oldest first; a setting limits their number."""
    row = uploads.c
    query = select(
        row.id,
        row.repository,
        row.identity,
        row.address,
        row.created_at,
        row.idle_epoch,
        _TOUCHED_AT,
        _TOUCHED_EPOCH,
    ).order_by(row.created_at)
    return [
        OpenUpload(found[0], RepositoryName(found[1]), *found[2:])
        for found in connection.execute(query)
    ]


@dataclass(frozen=True, slots=True)
class Counts:
    """Numbers of open sessions: the identity's, the address's, and all."""

    identity: int
    address: int
    total: int


def count(connection: Connection, identity: str, address: str) -> Counts:
    total = select(func.count()).select_from(uploads)
    conditions = (uploads.c.identity == identity, uploads.c.address == address, true())
    return Counts(*(connection.scalar(total.where(each)) or 0 for each in conditions))
