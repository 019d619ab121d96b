"""Tokens: rows of hashes; the secret itself is nowhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from registry.auth.decision import Narrowing
from registry.auth.secrets import TokenSecret
from registry.storage.database.point_read import PointRead
from registry.storage.metadata.audit import Change
from registry.storage.metadata.identity.standing import format_limits, parse_limits
from registry.storage.metadata.identity.tables import principals, tokens


@dataclass(frozen=True, slots=True)
class StoredToken:
    """A token's row, with its principal's name and kind."""

    id: str
    principal_id: int
    principal: str
    kind: str
    hash: str
    label: str
    limits: tuple[Narrowing, ...] | None
    created_at: int
    created_by: str
    expires_at: int | None
    last_used_at: int | None
    last_used_from: str | None
    is_disabled: bool
    """Whether its principal is disabled."""


_COLUMNS = (
    tokens.c.id,
    tokens.c.principal_id,
    principals.c.name,
    principals.c.kind,
    tokens.c.hash,
    tokens.c.label,
    tokens.c.limits,
    tokens.c.created_at,
    tokens.c.created_by,
    tokens.c.expires_at,
    tokens.c.last_used_at,
    tokens.c.last_used_from,
    principals.c.disabled_at,
)
_ROWS = select(*_COLUMNS).join(principals, principals.c.id == tokens.c.principal_id)


def _token(row: Any) -> StoredToken:
    values = list(row)
    values[6] = None if row[6] is None else parse_limits(row[6])
    values[12] = row[12] is not None
    return StoredToken(*values)


BY_ID = PointRead(_ROWS.where(tokens.c.id == bindparam("id")), "id", into=_token)


def add(
    connection: Connection,
    change: Change,
    principal: int,
    secret: TokenSecret,
    *,
    label: str,
    limits: Sequence[Narrowing] | None,
    expires_at: int | None,
) -> None:
    connection.execute(
        insert(tokens).values(
            id=secret.id,
            principal_id=principal,
            hash=secret.hash,
            label=label,
            limits=None if limits is None else format_limits(limits),
            created_at=change.at,
            created_by=change.identity,
            expires_at=expires_at,
        )
    )


def remove(connection: Connection, id: str) -> bool:
    """Revoke a token; False if there is none."""
    return connection.execute(delete(tokens).where(tokens.c.id == id)).rowcount == 1


def of_principal(connection: Connection, principal: int | None = None) -> list[StoredToken]:
    """The tokens of one principal, or all, oldest first."""
    query = _ROWS.order_by(tokens.c.created_at, tokens.c.id)
    if principal is not None:
        query = query.where(tokens.c.principal_id == principal)
    return [_token(row) for row in connection.execute(query)]


def count_alive(connection: Connection, principal: int, now: int) -> int:
    """The principal's tokens that have not expired."""
    row = tokens.c
    query = (
        select(func.count())
        .select_from(tokens)
        .where(row.principal_id == principal)
        .where(row.expires_at.is_(None) | (row.expires_at > now))
    )
    return connection.scalar(query) or 0


def remove_expired(connection: Connection, principal: int, now: int, *, keep: int) -> None:
    """Remove a principal's expired tokens but the ``keep`` that expired last."""
    row = tokens.c
    kept = (
        select(row.id)
        .where(row.principal_id == principal, row.expires_at <= now)
        .order_by(row.expires_at.desc(), row.id)
        .limit(keep)
    )
    connection.execute(
        delete(tokens).where(
            row.principal_id == principal, row.expires_at <= now, row.id.not_in(kept)
        )
    )


def record_uses(connection: Connection, uses: Mapping[str, tuple[int, str]]) -> None:
    """Record when, and from which address, tokens were last used; revoked ones are skipped."""
    row = tokens.c
    found = [{"used": id, "at": at, "address": address} for id, (at, address) in uses.items()]
    connection.execute(
        update(tokens)
        .where(row.id == bindparam("used"))
        .values(last_used_at=bindparam("at"), last_used_from=bindparam("address")),
        found,
    )
