"""Principals: users, robots and groups, and who is a member of which group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from registry.auth.names import PrincipalName
from registry.storage.database.point_read import PointRead
from registry.storage.metadata.audit import Change
from registry.storage.metadata.identity.tables import grants, members, principals, tokens

Kind = Literal["user", "robot", "group"]
KINDS: tuple[Kind, ...] = ("user", "robot", "group")


@dataclass(frozen=True, slots=True)
class Principal:
    """A principal's row."""

    id: int
    name: str
    kind: str
    password: str | None
    is_owner: bool
    is_auditor: bool
    disabled_at: int | None
    created_at: int
    created_by: str
    version: int


def _principal(row: Any) -> Principal:
    return Principal(row[0], row[1], row[2], row[3], bool(row[4]), bool(row[5]), *row[6:])


_COLUMNS = (
    principals.c.id,
    principals.c.name,
    principals.c.kind,
    principals.c.password,
    principals.c.is_owner,
    principals.c.is_auditor,
    principals.c.disabled_at,
    principals.c.created_at,
    principals.c.created_by,
    principals.c.version,
)

BY_NAME = PointRead(
    select(*_COLUMNS).where(principals.c.name == bindparam("name")), "name", into=_principal
)
# Whether there is any user or robot: without one, nobody can sign in.
ANY = PointRead(
    select(principals.c.id).where(principals.c.kind == bindparam("kind")),
    "kind",
    into=lambda row: int(row[0]),
)


def find(connection: Connection, name: str) -> Principal | None:
    return BY_NAME.first(connection, name)


def add(
    connection: Connection,
    change: Change,
    name: PrincipalName,
    kind: Kind,
    *,
    password: str | None = None,
    is_owner: bool = False,
    is_auditor: bool = False,
) -> int:
    """Add a principal, whose name is free; returns its row id."""
    row = connection.execute(
        insert(principals)
        .values(
            name=str(name),
            kind=kind,
            password=password,
            is_owner=int(is_owner),
            is_auditor=int(is_auditor),
            created_at=change.at,
            created_by=change.identity,
            version=1,
        )
        .returning(principals.c.id)
    )
    return int(row.scalar_one())


def change_row(connection: Connection, principal: int, **values: Any) -> None:
    """Change columns of a principal, and count the change."""
    connection.execute(
        update(principals)
        .where(principals.c.id == principal)
        .values(version=principals.c.version + 1, **values)
    )


def replace_hash(connection: Connection, principal: int, old: str, new: str) -> None:
    """Store another hash of the same password; the version stays, and with it access tokens."""
    row = principals.c
    connection.execute(
        update(principals).where(row.id == principal, row.password == old).values(password=new)
    )


def remove(connection: Connection, principal: int) -> None:
    """Remove a principal with its grants, its tokens, and its memberships."""
    connection.execute(delete(grants).where(grants.c.principal_id == principal))
    connection.execute(delete(tokens).where(tokens.c.principal_id == principal))
    connection.execute(
        delete(members).where(
            (members.c.member_id == principal) | (members.c.group_id == principal)
        )
    )
    connection.execute(delete(principals).where(principals.c.id == principal))


def count_owners(connection: Connection) -> int:
    """The owners who can sign in."""
    row = principals.c
    query = (
        select(func.count())
        .select_from(principals)
        .where(row.is_owner == 1, row.disabled_at.is_(None))
    )
    return connection.scalar(query) or 0


def names(
    connection: Connection, kind: Kind | None, *, last: str | None, limit: int | None
) -> list[Principal]:
    """Principals after ``last`` in byte order."""
    query = select(*_COLUMNS).where(principals.c.kind.in_(KINDS if kind is None else (kind,)))
    if last is not None:
        query = query.where(principals.c.name > last)
    rows = connection.execute(query.order_by(principals.c.name).limit(limit))
    return [_principal(row) for row in rows]


def add_member(connection: Connection, group: int, member: int) -> bool:
    """False if it is one already."""
    row = members.c
    found = select(row.member_id).where(row.group_id == group, row.member_id == member)
    if connection.scalar(found) is not None:
        return False
    connection.execute(insert(members).values(group_id=group, member_id=member))
    return True


def remove_member(connection: Connection, group: int, member: int) -> bool:
    """False if it is none."""
    row = members.c
    removed = connection.execute(
        delete(members).where(row.group_id == group, row.member_id == member)
    )
    return removed.rowcount == 1


def members_of(connection: Connection, group: int) -> list[str]:
    """The names of a group's members, in byte order."""
    query = (
        select(principals.c.name)
        .join(members, members.c.member_id == principals.c.id)
        .where(members.c.group_id == group)
        .order_by(principals.c.name)
    )
    return list(connection.scalars(query))


def groups_of(connection: Connection, member: int) -> Sequence[str]:
    """The names of the groups that it is a member of, in byte order."""
    query = (
        select(principals.c.name)
        .join(members, members.c.group_id == principals.c.id)
        .where(members.c.member_id == member)
        .order_by(principals.c.name)
    )
    return list(connection.scalars(query))
