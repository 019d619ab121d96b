"""Upload sessions: the queries."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, func, insert, select, true, update

from oci.reference import RepositoryName
from registry.storage.database.point_read import PointRead
from registry.storage.metadata.audit import Change
from registry.storage.metadata.tables import uploads


@dataclass(frozen=True, slots=True)
class StoredUpload:
    """An open session: its id, and the algorithm its bytes are hashed with on the way in."""

    id: str
    algorithm: str
    touched_at: int
    """About when it had its last request, in milliseconds of wall time."""


@dataclass(frozen=True, slots=True)
class OpenUpload:
    """An open session: whose it is, since when, and when it had its last request."""

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

# Both the id and the repository: another repository's session is no session here.
FIND = PointRead(
    select(uploads.c.id, uploads.c.algorithm, _TOUCHED_AT)
    .where(uploads.c.id == bindparam("id"))
    .where(uploads.c.repository == bindparam("repository")),
    "id",
    "repository",
    into=lambda row: StoredUpload(row[0], row[1], row[2]),
)


def add(
    connection: Connection,
    change: Change,
    name: RepositoryName,
    session: str,
    algorithm: str,
    address: str = "",
) -> None:
    """Open a session; before its first byte, so that a sweep can tell its file from an orphan."""
    values = {"id": session, "repository": str(name), "algorithm": algorithm, "address": address}
    connection.execute(
        insert(uploads).values(
            **values, identity=change.identity, created_at=change.at, idle_epoch=change.epoch
        )
    )


def touch(connection: Connection, change: Change, session: str) -> None:
    """Write down that the session had a request."""
    connection.execute(
        update(uploads)
        .where(uploads.c.id == session)
        .values(touched_at=change.at, touched_epoch=change.epoch)
    )


def claim(connection: Connection, name: RepositoryName, session: str) -> bool:
    """End the session; False if another has ended it.  Whoever takes it owns its bytes."""
    taken = connection.execute(
        delete(uploads).where(uploads.c.id == session, uploads.c.repository == str(name))
    )
    return taken.rowcount == 1


def list_open(connection: Connection) -> list[OpenUpload]:
    """Every open session, the oldest first; a setting bounds how many there are."""
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
    """How many sessions are open: the identity's, the address's, and all."""

    identity: int
    address: int
    total: int


def count(connection: Connection, identity: str, address: str) -> Counts:
    total = select(func.count()).select_from(uploads)
    conditions = (uploads.c.identity == identity, uploads.c.address == address, true())
    return Counts(*(connection.scalar(total.where(each)) or 0 for each in conditions))
