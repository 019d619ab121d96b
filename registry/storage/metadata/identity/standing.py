"""Standing: what the rows say of a caller now, read by one point read for each request.

Nothing of it is kept between requests (rule AZ-10).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import Integer, Select, bindparam, cast, func, literal_column, null, or_, select

from registry.auth.decision import Narrowing
from registry.auth.patterns import Pattern
from registry.auth.roles import Role
from registry.storage.database.point_read import PointRead
from registry.storage.metadata.identity.tables import (
    ANONYMOUS_ID,
    EVERYONE_ID,
    grants,
    members,
    principals,
    tokens,
)

_EVERYONE = literal_column(str(EVERYONE_ID), Integer)
_ANONYMOUS = literal_column(str(ANONYMOUS_ID), Integer)

# A name of more components than this is asked for by a statement of its own length.
_LENGTHS = 64


@dataclass(frozen=True, slots=True)
class FoundStanding:
    """A principal's row, its token's, and its highest role among the patterns asked for."""

    name: str
    is_disabled: bool
    is_owner: bool
    is_auditor: bool
    version: int
    has_token: bool
    expires_at: int | None
    limits: tuple[Narrowing, ...] | None
    role: Role | None


def by_patterns(count: int) -> PointRead[FoundStanding]:
    """The read for ``count`` patterns: values are the principal's id, the token's, the patterns."""
    return _by_patterns(count)


@lru_cache(maxsize=_LENGTHS)
def _by_patterns(count: int) -> PointRead[FoundStanding]:
    names = [f"pattern{number}" for number in range(count)]
    return PointRead(_select(names), "principal", "token", *names, into=_found)


def _select(names: Sequence[str]) -> Select[Any]:
    row, token = principals.c, tokens.c
    principal = cast(bindparam("principal"), Integer)
    role = (
        select(func.max(grants.c.role))
        .where(
            grants.c.pattern.in_([bindparam(name) for name in names]),
            or_(
                grants.c.principal_id == principal,
                grants.c.principal_id == _ANONYMOUS,
                (grants.c.principal_id == _EVERYONE) & (principal != _ANONYMOUS),
                grants.c.principal_id.in_(
                    select(members.c.group_id).where(members.c.member_id == principal)
                ),
            ),
        )
        .scalar_subquery()
    )
    return (
        select(
            row.name,
            row.disabled_at,
            row.is_owner,
            row.is_auditor,
            row.version,
            token.id,
            token.expires_at,
            token.limits,
            role if names else null(),
        )
        .select_from(
            principals.outerjoin(
                tokens, (token.id == bindparam("token")) & (token.principal_id == row.id)
            )
        )
        .where(row.id == principal)
    )


def _found(row: Any) -> FoundStanding:
    name, disabled_at, owner, auditor, version, token, expires_at, limits, role = row
    return FoundStanding(
        name=name,
        is_disabled=disabled_at is not None,
        is_owner=bool(owner),
        is_auditor=bool(auditor),
        version=version,
        has_token=token is not None,
        expires_at=expires_at,
        limits=None if limits is None else parse_limits(limits),
        role=None if role is None else Role(role),
    )


def parse_limits(text: str) -> tuple[Narrowing, ...]:
    return tuple(Narrowing(Role(role), Pattern(pattern)) for role, pattern in json.loads(text))


def format_limits(limits: Sequence[Narrowing]) -> str:
    return json.dumps([[each.role, each.pattern.text] for each in limits], separators=(",", ":"))
