"""Standing: a caller by the rows as they are now, read by one point read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import (
    Integer,
    Select,
    Text,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    null,
    or_,
    select,
)

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
_USER = literal_column("'user'", Text)
_HAS_USER = literal_column("'%{user}%'", Text)

# A name of more components than this is asked for by a statement of its own length.
_LENGTHS = 64


class FoundStanding(NamedTuple):
    """A principal's row, its token's, and its highest role among the patterns asked for."""

    name: str
    disabled_at: int | None
    is_owner: int
    is_auditor: int
    version: int
    token: str | None
    """Its id, if the principal has this token."""
    expires_at: int | None
    limits: str | None
    own_role: int | None
    """The highest role of its own, of everyone's, and of anonymous' grants."""
    group_role: int | None

    @property
    def role(self) -> Role | None:
        role = max(self.own_role or 0, self.group_role or 0)
        return ROLES[role] if role else None


ROLES = {int(role): role for role in Role}


def by_patterns(count: int) -> PointRead[FoundStanding]:
    """The read for ``count`` patterns: values are the principal's id, the token's, the patterns."""
    return _by_patterns(count)


@lru_cache(maxsize=_LENGTHS)
def _by_patterns(count: int) -> PointRead[FoundStanding]:
    names = [f"pattern{number}" for number in range(count)]
    return PointRead(_select(names), "principal", "token", *names, into=FoundStanding._make)


def _select(names: Sequence[str]) -> Select[Any]:
    row, token = principals.c, tokens.c
    principal = cast(bindparam("principal"), Integer)
    asked = grants.c.pattern.in_([bindparam(name) for name in names]) & or_(
        # ``{user}`` stands for users alone: whoever makes a robot chooses its name.
        row.kind == _USER,
        grants.c.pattern.not_like(_HAS_USER),
    )
    # Two, each a search of the index by principal and pattern: joined by OR, SQLite searches by
    # pattern alone, and finds everybody's grants on ``*``.
    own = select(func.max(grants.c.role)).where(
        asked,
        grants.c.principal_id.in_(
            (principal, _ANONYMOUS, case((principal == _ANONYMOUS, _ANONYMOUS), else_=_EVERYONE))
        ),
    )
    of_groups = (
        select(func.max(grants.c.role))
        .select_from(members.join(grants, grants.c.principal_id == members.c.group_id))
        .where(asked, members.c.member_id == principal)
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
            own.correlate(principals).scalar_subquery() if names else null(),
            of_groups.correlate(principals).scalar_subquery() if names else null(),
        )
        .select_from(
            principals.outerjoin(
                tokens, (token.id == bindparam("token")) & (token.principal_id == row.id)
            )
        )
        .where(row.id == principal)
    )


def parse_limits(text: str) -> tuple[Narrowing, ...]:
    return tuple(Narrowing(Role(role), Pattern(pattern)) for role, pattern in json.loads(text))


def format_limits(limits: Sequence[Narrowing]) -> str:
    return json.dumps([[each.role, each.pattern.text] for each in limits], separators=(",", ":"))
