"""TokenService: access tokens with the granted part of what is asked, and refresh tokens.

https://distribution.github.io/distribution/spec/auth/token/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from oci.errors import OCIError
from oci.reference import RepositoryName
from registry.auth.access_token import (
    LIFETIME_SECONDS,
    REFRESH_SECONDS,
    AccessToken,
    sign,
    verify,
)
from registry.auth.decision import decide
from registry.auth.roles import Access
from registry.auth.scopes import REPOSITORY, SIGN_IN, Scope
from registry.errors import Unauthorized
from registry.services.identity.authentication import Authentication
from registry.services.identity.authorization import Authorization
from registry.services.identity.identity import Identity

# The actions of a scope, with the least that each is for; ``*`` asks for all of them (rule AZ-9).
_ACTIONS: Mapping[str, Access] = {"pull": "see", "push": "create", "delete": "maintain"}

# The scopes of one token, as text: it must fit into a header (access_token.MAX_LENGTH).
MAX_SCOPE_BYTES = 6 * 1024
_OVERHEAD = 16


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """An access token with its scopes, and a refresh token if one was asked for."""

    text: str = field(repr=False)
    scopes: tuple[Scope, ...]
    issued_at: int
    lifetime: int
    refresh: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class TokenService:
    """Issues tokens."""

    authentication: Authentication
    authorization: Authorization

    async def issue(
        self,
        identity: Identity,
        asked: Sequence[Scope],
        *,
        offline: bool,
        is_exchange: bool = False,
        signs_in: bool = False,
    ) -> IssuedToken:
        """An access token with the granted subset of the scopes: less is no failure.

        ``is_exchange``: for as long as the trust allows, instead of for some minutes.
        ``signs_in``: it is a password of the user ``oidc``, and nothing else.
        """
        granted = await self._granted(identity, asked)
        now = self.authentication.clock.wall_ms() // 1000
        ends_at = now + LIFETIME_SECONDS
        if identity.ends_at is not None:
            # Of a trust: all that comes of its CI's token ends with it, and nothing refreshes it.
            offline = False
            ends_at = identity.ends_at if is_exchange else min(ends_at, identity.ends_at)
        refreshes = offline and not identity.is_anonymous
        return IssuedToken(
            self._sign(identity, (SIGN_IN,) if signs_in else granted, now, ends_at),
            granted,
            now,
            ends_at - now,
            self._refresh_token(identity, now) if refreshes else None,
        )

    async def refresh(self, text: str) -> Identity:
        """The identity of a refresh token; raises Unauthorized if it counts no more."""
        own = self.authentication
        token = verify(text, own.key, _refreshing(own.service))
        if token is None or token.expires_at * 1000 <= own.clock.wall_ms():
            raise Unauthorized("the refresh token is not valid here, or has expired: sign in again")
        identity = Identity(token.principal, token.name, token.credential, token.password)
        standing = await self.authorization.standing(identity, None)
        if standing.is_disabled or standing.credential_problem:
            raise Unauthorized(standing.credential_problem or f"{identity.name} is disabled")
        return identity

    async def _granted(self, identity: Identity, asked: Sequence[Scope]) -> tuple[Scope, ...]:
        granted, left = [], MAX_SCOPE_BYTES
        for each in asked:
            scope = await self._granted_of(identity, each)
            if scope is not None and (left := left - len(str(scope)) - _OVERHEAD) >= 0:
                granted.append(scope)
        return tuple(granted)

    async def _granted_of(self, identity: Identity, asked: Scope) -> Scope | None:
        if (asked.type, asked.name) == ("registry", "catalog"):
            return Scope(asked.type, asked.name, ("*",)) if "*" in asked.actions else None
        if asked.type != REPOSITORY:
            return None
        try:
            name = RepositoryName.parse(asked.name)
        except OCIError:
            return None
        standing = await self.authorization.standing(identity, str(name))
        actions = tuple(
            action
            for action, access in _ACTIONS.items()
            if {action, "*"} & set(asked.actions)
            and decide(standing, access, str(name), None).is_allowed
        )
        return Scope(REPOSITORY, str(name), actions) if actions else None

    def _refresh_token(self, identity: Identity, now: int) -> str:
        service = _refreshing(self.authentication.service)
        return self._sign(identity, (), now, now + REFRESH_SECONDS, service)

    def _sign(
        self,
        identity: Identity,
        scopes: tuple[Scope, ...],
        issued_at: int,
        expires_at: int,
        service: str | None = None,
    ) -> str:
        own, token = self.authentication, identity.access_token
        return sign(
            AccessToken(
                identity.principal,
                identity.name,
                identity.credential if token is None else token.credential,
                identity.password if token is None else token.password,
                scopes,
                service or own.service,
                issued_at,
                expires_at,
            ),
            own.key,
        )


def _refreshing(service: str) -> str:
    """The audience of refresh tokens: none of them is an access token, nor the other way."""
    return f"{service} refresh"
