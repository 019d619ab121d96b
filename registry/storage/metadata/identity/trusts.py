"""Trusts: the rows, each with the principal that holds its grants."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Integer, bindparam, cast, delete, func, insert, select

from registry.auth.oidc.issuers import Issuer
from registry.auth.oidc.trusts import Trust
from registry.storage.database.point_read import PointRead
from registry.storage.metadata.audit import Change
from registry.storage.metadata.identity.tables import principals, trusts


@dataclass(frozen=True, slots=True)
class StoredTrust:
    """A trust's row."""

    trust: Trust
    principal: int
    is_private: bool
    """Whether the issuer may be on a private network."""
    created_at: int
    created_by: str
    is_disabled: bool
    """Whether its principal is."""

    def refusal(self, claims: Mapping[str, object], own_address: str) -> str:
        """The first reason that the trust does not accept these claims; empty if it does."""
        if self.is_disabled:
            return f"{self.trust.name} is disabled"
        return self.trust.refusal(claims, own_address)


_COLUMNS = (
    trusts.c.name,
    trusts.c.issuer,
    trusts.c.kind,
    trusts.c.audience,
    trusts.c.claims,
    trusts.c.life_seconds,
    trusts.c.principal_id,
    trusts.c.is_private,
    trusts.c.created_at,
    trusts.c.created_by,
    principals.c.disabled_at,
)
_TRUSTS = select(*_COLUMNS).join(principals, principals.c.id == trusts.c.principal_id)


def _stored(row: Any) -> StoredTrust:
    trust = Trust(row[0], Issuer(row[1], row[2]), row[3], json.loads(row[4]), row[5])
    return StoredTrust(trust, row[6], bool(row[7]), row[8], row[9], row[10] is not None)


BY_NAME = PointRead(_TRUSTS.where(trusts.c.name == bindparam("name")), "name", into=_stored)
# By the id of a principal, as an access token names it.
BY_PRINCIPAL = PointRead(
    _TRUSTS.where(trusts.c.principal_id == cast(bindparam("principal"), Integer)),
    "principal",
    into=_stored,
)


def add(
    connection: Connection, change: Change, trust: Trust, principal: int, *, is_private: bool
) -> None:
    """Add a trust, whose name is free."""
    connection.execute(
        insert(trusts).values(
            name=trust.name,
            principal_id=principal,
            issuer=trust.issuer.url,
            kind=trust.issuer.kind,
            audience=trust.audience,
            claims=json.dumps(dict(trust.claims), separators=(",", ":")),
            life_seconds=trust.life_seconds,
            is_private=int(is_private),
            created_at=change.at,
            created_by=change.identity,
        )
    )


def remove(connection: Connection, name: str) -> None:
    connection.execute(delete(trusts).where(trusts.c.name == name))


def find(connection: Connection, name: str) -> StoredTrust | None:
    return BY_NAME.first(connection, name)


def of_issuer(connection: Connection, issuer: str) -> list[StoredTrust]:
    """The trusts of one issuer, by name."""
    query = _TRUSTS.where(trusts.c.issuer == issuer).order_by(trusts.c.name)
    return [_stored(row) for row in connection.execute(query)]


def listed(connection: Connection) -> list[StoredTrust]:
    """Every trust, by name."""
    query = _TRUSTS.order_by(trusts.c.name)
    return [_stored(row) for row in connection.execute(query)]


def count(connection: Connection) -> int:
    return connection.scalar(select(func.count()).select_from(trusts)) or 0
