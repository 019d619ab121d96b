"""Grants: who holds which role on which pattern; and the repositories that a caller may see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from oci.reference import RepositoryName
from registry.auth.patterns import Pattern
from registry.auth.roles import Role
from registry.storage.database.statements import Prepared
from registry.storage.metadata.audit import Change
from registry.storage.metadata.identity.tables import (
    ANONYMOUS_ID,
    EVERYONE_ID,
    grants,
    members,
    principals,
)
from registry.storage.metadata.tables import deleted_repositories, repositories

# More repositories than there can be: SQL has no word for all in a LIMIT of every database.
MOST_NAMES = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Grant:
    """A grant's row, with its principal's name."""

    id: int
    principal: str
    kind: str
    role: Role
    pattern: Pattern
    created_at: int
    created_by: str


def put(
    connection: Connection, change: Change, principal: int, role: Role, pattern: Pattern
) -> Role | None:
    """Give a role on a pattern; returns the one that it replaces, None if there was none."""
    row = grants.c
    same = (row.principal_id == principal, row.pattern == str(pattern))
    found = connection.scalar(select(row.role).where(*same))
    if found is None:
        connection.execute(
            insert(grants).values(
                principal_id=principal,
                pattern=str(pattern),
                role=int(role),
                created_at=change.at,
                created_by=change.identity,
            )
        )
        return None
    if found != role:
        connection.execute(
            update(grants)
            .where(*same)
            .values(role=int(role), created_at=change.at, created_by=change.identity)
        )
    return Role(found)


def remove(connection: Connection, principal: int, pattern: Pattern) -> Role | None:
    """Remove a grant; returns its role, None if there was none."""
    row = grants.c
    found = connection.execute(
        delete(grants)
        .where(row.principal_id == principal, row.pattern == str(pattern))
        .returning(row.role)
    ).scalar()
    return None if found is None else Role(found)


def listed(
    connection: Connection,
    *,
    principal: int | None = None,
    after: int = 0,
    limit: int | None = None,
) -> list[Grant]:
    """Grants in the order in which they were given, of one principal or of all."""
    query = _grants().where(grants.c.id > after).order_by(grants.c.id).limit(limit)
    if principal is not None:
        query = query.where(grants.c.principal_id == principal)
    return [_grant(row) for row in connection.execute(query)]


def held_by(connection: Connection, principal: int) -> list[Grant]:
    """The grants that count for a principal: its own, its groups', everyone's, anonymous'.

    Those with ``{user}`` count for users alone.
    """
    query = _grants().where(_counts_for(principal)).order_by(grants.c.pattern, grants.c.id)
    found = [_grant(row) for row in connection.execute(query)]
    kind = connection.scalar(select(principals.c.kind).where(principals.c.id == principal))
    return [each for each in found if kind == "user" or not each.pattern.has_user]


def visible_names(
    connection: Connection,
    principal: int,
    user: str,
    within: list[Pattern] | None,
    *,
    last: str | None,
    limit: int | None,
) -> list[RepositoryName]:
    """Repositories that a caller may see, after ``last`` in byte order.

    Each grant is a range of names: the ranges, and so the whole decision, are in the query
    (rule AZ-8).  ``within``: the patterns that its token is for; None for no limit.
    """
    patterns = {each.pattern.for_user(user) for each in held_by(connection, principal)}
    if within is not None:
        patterns = {both for held in patterns for limit in within if (both := _both(held, limit))}
    return in_ranges(connection, merged(patterns), last=last, limit=limit)


def in_ranges(
    connection: Connection, ranges: list[tuple[str, str]], *, last: str | None, limit: int | None
) -> list[RepositoryName]:
    """The names in some ranges, which are sorted and apart: a seek for each, up to the limit."""
    found: list[RepositoryName] = []
    for low, high in ranges:
        if last is not None and high <= last:
            continue
        rest = MOST_NAMES if limit is None else limit - len(found)
        rows = _IN_RANGE.run(connection, low=low, high=high, last=last or "", rest=rest)
        found += [RepositoryName(row[0]) for row in rows]
        if limit is not None and len(found) >= limit:
            break
    return found


def merged(patterns: set[Pattern]) -> list[tuple[str, str]]:
    """The ranges of names of some patterns, sorted, with those that overlap made one.

    >>> merged({Pattern("a/*"), Pattern("a/b"), Pattern("c")})
    [('a/', 'a0'), ('c', 'c\\x00')]
    """
    ranges: list[tuple[str, str]] = []
    for low, high in sorted(pattern.bounds for pattern in patterns):
        if ranges and low <= ranges[-1][1]:
            ranges[-1] = (ranges[-1][0], max(high, ranges[-1][1]))
        else:
            ranges.append((low, high))
    return ranges


def _both(one: Pattern, other: Pattern) -> Pattern | None:
    if one.is_within(other):
        return one
    return other if other.is_within(one) else None


def _counts_for(principal: int) -> ColumnElement[bool]:
    row = grants.c
    if principal == ANONYMOUS_ID:
        return row.principal_id == ANONYMOUS_ID
    groups = select(members.c.group_id).where(members.c.member_id == principal)
    return or_(
        row.principal_id.in_((principal, EVERYONE_ID, ANONYMOUS_ID)), row.principal_id.in_(groups)
    )


def _grants() -> Select[Any]:
    row = grants.c
    return select(
        row.id,
        principals.c.name,
        principals.c.kind,
        row.role,
        row.pattern,
        row.created_at,
        row.created_by,
    ).join(principals, principals.c.id == row.principal_id)


def _grant(row: Any) -> Grant:
    return Grant(row[0], row[1], row[2], Role(row[3]), Pattern(row[4]), row[5], row[6])


def count_of(connection: Connection, principal: int) -> int:
    query = select(func.count()).select_from(grants).where(grants.c.principal_id == principal)
    return connection.scalar(query) or 0


# Compiled once: a caller with 50 grants has 50 ranges.
_IN_RANGE = Prepared(
    select(repositories.c.name)
    .where(repositories.c.name >= bindparam("low"), repositories.c.name < bindparam("high"))
    .where(repositories.c.name > bindparam("last"))
    .where(repositories.c.id.not_in(select(deleted_repositories.c.repository_id)))
    .order_by(repositories.c.name)
    .limit(bindparam("rest"))
    .offset(literal_column("0"))
)
