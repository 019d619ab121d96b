"""Principals for tests: rows of identities, without a service and without a password."""

from collections.abc import Sequence

from sqlalchemy import Connection

from registry.auth.decision import Narrowing
from registry.auth.names import PrincipalName
from registry.auth.patterns import Pattern, matching
from registry.auth.roles import Role
from registry.auth.secrets import TokenSecret, mint
from registry.storage.metadata.identity import grants, principals, tokens
from registry.storage.metadata.identity.principals import Kind
from registry.storage.metadata.identity.standing import FoundStanding, by_patterns
from tests.support.registry.rows import EARLY


def a_principal(connection: Connection, name: str, kind: Kind = "user") -> int:
    return principals.add(connection, EARLY, PrincipalName(name), kind)


def a_grant(connection: Connection, principal: int, role: Role, pattern: str) -> None:
    grants.put(connection, EARLY, principal, role, Pattern(pattern))


def a_token(
    connection: Connection,
    principal: int,
    *,
    limits: Sequence[Narrowing] | None = None,
    expires_at: int | None = None,
) -> TokenSecret:
    secret = mint()
    tokens.add(connection, EARLY, principal, secret, label="", limits=limits, expires_at=expires_at)
    return secret


def standing_of(
    connection: Connection, principal: int, name: str = "", *, user: str = "ada", token: str = ""
) -> FoundStanding | None:
    """The rows of a principal, for a repository or for none."""
    patterns = matching(name, user) if name else ()
    return by_patterns(len(patterns)).first(connection, principal, token, *patterns)


def role_of(connection: Connection, principal: int, name: str, user: str = "ada") -> Role | None:
    found = standing_of(connection, principal, name, user=user)
    assert found is not None
    return found.role
