"""Tokens of users and robots: mint, list, revoke; and robots, which are made with one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from registry.auth.decision import Narrowing
from registry.auth.patterns import Pattern
from registry.auth.roles import Role
from registry.auth.secrets import TokenSecret, mint
from registry.errors import Absent, Conflict, Invalid
from registry.services.context import RegistryState
from registry.services.identity.grants import MAX_GRANTS
from registry.services.identity.principals import (
    Check,
    allow,
    parse_name,
    require,
    require_free,
    require_no_trust,
)
from registry.storage.database.contract import Connection
from registry.storage.metadata import audit
from registry.storage.metadata.audit import Change
from registry.storage.metadata.identity import grants, principals, tokens
from registry.storage.metadata.identity.principals import Principal
from registry.storage.metadata.identity.tokens import StoredToken

__all__ = ["MintedToken", "StoredToken"]

MAX_LIFE_MS = 10 * 365 * 86_400_000
# Two, so that the second is in use everywhere before the first is revoked.
MAX_ROBOT_TOKENS = 2
MAX_USER_TOKENS = 100
MAX_EXPIRED = 10
MAX_LABEL = 100

GivenGrants = Sequence[tuple[Role, Pattern]]


@dataclass(frozen=True, slots=True)
class MintedToken:
    """A new token: its secret is shown this once."""

    principal: str
    secret: TokenSecret
    expires_at: int | None


async def add_robot(
    state: RegistryState,
    actor: str,
    name: str,
    given: GivenGrants,
    *,
    life_ms: int | None,
) -> MintedToken:
    """Add a robot with its grants and its first token.  Raises Invalid or Conflict."""
    checked, secret = parse_name(name), mint()
    held = highest(given)
    if len(held) > MAX_GRANTS:
        raise Invalid(f"{len(held)} grants, expected at most {MAX_GRANTS}")

    def unit(connection: Connection) -> MintedToken:
        require_free(connection, name)
        change = state.begin_change(connection, actor)
        robot = principals.add(connection, change, checked, "robot")
        for pattern, role in held.items():
            grants.put(connection, change, robot, role, pattern)
        expires_at = add_token(connection, change, robot, secret, "first", None, life_ms)
        detail = ", ".join(f"{role} {pattern}" for pattern, role in held.items())
        audit.append(connection, change, "robot.add", "", name, detail)
        return MintedToken(name, secret, expires_at)

    minted = await state.database.write(unit, on=None)
    state.identities.exist = True
    return minted


async def mint_token(
    state: RegistryState,
    actor: str,
    name: str,
    *,
    label: str,
    limits: Sequence[Narrowing] | None,
    life_ms: int | None,
    check: Check = allow,
) -> MintedToken:
    """Mint one more token for a user or robot.

    Raises Absent, Invalid, or Conflict if it has as many as it may have.
    """
    secret = mint()
    if len(label) > MAX_LABEL or not label.isprintable():
        raise Invalid(f"label {label[:MAX_LABEL]!r}: expected at most {MAX_LABEL} characters")

    def unit(connection: Connection) -> MintedToken:
        check(connection)
        found = require_holder(connection, name)
        change = state.begin_change(connection, actor)
        require_no_trust(connection, found)
        most = MAX_ROBOT_TOKENS if found.kind == "robot" else MAX_USER_TOKENS
        alive = tokens.count_alive(connection, found.id, change.at)
        if alive >= most:
            raise Conflict(
                f"{name} has {alive} tokens, and may have {most}: revoke one that is not used"
            )
        expires_at = add_token(connection, change, found.id, secret, label, limits, life_ms)
        audit.append(connection, change, "token.add", "", name, secret.id)
        return MintedToken(name, secret, expires_at)

    return await state.database.write(unit, on=None)


async def revoke_token(
    state: RegistryState, actor: str, id: str, check: Check = allow
) -> StoredToken:
    """Revoke a token: the next request with it is refused.  Raises Absent."""

    def unit(connection: Connection) -> StoredToken:
        check(connection)
        found = tokens.BY_ID.first(connection, id)
        if found is None:
            raise Absent(f"there is no token {id}")
        tokens.remove(connection, id)
        change = state.begin_change(connection, actor)
        audit.append(connection, change, "token.revoke", "", found.principal, id)
        return found

    return await state.database.write(unit, on=None)


async def list_tokens(state: RegistryState, name: str | None) -> list[StoredToken]:
    """The tokens of one principal, or of all.  Raises Absent."""

    def unit(connection: Connection) -> list[StoredToken]:
        principal = None if name is None else require_holder(connection, name).id
        return tokens.of_principal(connection, principal)

    return await state.database.read(unit)


def highest(given: GivenGrants) -> dict[Pattern, Role]:
    """The highest role given on each pattern: roles add up, in whichever order."""
    held: dict[Pattern, Role] = {}
    for role, pattern in given:
        held[pattern] = max(role, held.get(pattern, role))
    return held


def add_token(
    connection: Connection,
    change: Change,
    principal: int,
    secret: TokenSecret,
    label: str,
    limits: Sequence[Narrowing] | None,
    life_ms: int | None,
) -> int | None:
    """Add a token's row; returns the time at which it expires."""
    if life_ms is not None and not 0 < life_ms <= MAX_LIFE_MS:
        raise Invalid("a token's life is from 1 second to 10 years")
    expires_at = None if life_ms is None else change.at + life_ms
    # Those that ended lately tell why a client is refused; all others would grow without end.
    tokens.remove_expired(connection, principal, change.at, keep=MAX_EXPIRED)
    tokens.add(
        connection, change, principal, secret, label=label, limits=limits, expires_at=expires_at
    )
    return expires_at


def require_holder(connection: Connection, name: str) -> Principal:
    """A user or a robot; raises Absent, or Invalid for a group."""
    found = require(connection, name, None)
    if found.kind == "group":
        raise Invalid(f"{name} is a group, expected a user or a robot")
    return found
