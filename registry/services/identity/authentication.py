"""Authentication: a caller's credentials to an identity."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from functools import lru_cache

from oci.errors import OCIError
from registry.auth.access_token import verify
from registry.auth.backoff import Backoff
from registry.auth.credentials import OIDC_USER, BasicCredentials, BearerToken
from registry.auth.htpasswd import is_bcrypt
from registry.auth.passwords import Passwords
from registry.auth.scopes import SIGN_IN
from registry.auth.secrets import TokenSecret, parse_token
from registry.errors import LoginDelayed, Unauthorized
from registry.services.identity.exchange import TokenExchange
from registry.services.identity.failed_logins import FailedLogins
from registry.services.identity.identity import ANONYMOUS, Identity
from registry.services.identity.token_uses import TokenUses
from registry.storage.clock import Clock
from registry.storage.database.contract import Database
from registry.storage.metadata.identity import principals, tokens, trusts

# The name of this service in challenges and in access tokens.
SERVICE = "slipway"

# The same for an unknown user and a wrong password (rule AN-2).
_WRONG = "unknown user, or wrong password or token"
_EXPIRED = "the access token is not valid here, or has expired"


@dataclass(frozen=True, slots=True)
class Authentication:
    """Checks passwords, tokens and access tokens."""

    database: Database
    clock: Clock
    passwords: Passwords
    key: bytes = field(repr=False)
    uses: TokenUses
    failures: FailedLogins
    backoff: Backoff = field(default_factory=Backoff)
    service: str = SERVICE
    exchange: TokenExchange | None = None
    """Accepts the tokens of CI issuers; None where none are accepted."""

    async def identify(
        self, credentials: BasicCredentials | BearerToken | None, address: str
    ) -> Identity:
        """The caller; raises Unauthorized for credentials that are wrong."""
        match credentials:
            case None:
                return ANONYMOUS
            case BearerToken(text):
                secret = parse_token(text)
                if secret is not None:
                    return await self._by_token(secret, None, address)
                return self.by_access_token(text)
            case BasicCredentials(user, password) if user == OIDC_USER:
                return await self._by_trust(password)
            case BasicCredentials(user, password):
                secret = parse_token(password)
                if secret is not None:
                    return await self._by_token(secret, user, address)
                return await self._by_password(user, password)

    def by_access_token(self, text: str) -> Identity:
        """The caller that an access token was issued to; it may have expired since.

        Raises Unauthorized for any other text.
        """
        return _identity_of(text, self.key, self.service)

    async def sign_in(self, credentials: BasicCredentials | BearerToken, address: str) -> Identity:
        """``identify``, made to wait after failures.

        Raises Unauthorized; LoginDelayed while an earlier failure keeps the account waiting; or
        TooManyLogins.  A token is no guess at a password: it is neither delayed nor counted, or one
        robot with an old token would keep all others of its network away.
        """
        if isinstance(credentials, BearerToken):
            return await self.identify(credentials, address)
        user = credentials.user
        if user == OIDC_USER or parse_token(credentials.password) is not None:
            return await self._recorded(credentials, address)
        now = self.clock.monotonic_ms() / 1000
        wait = self.backoff.wait(user, address, now)
        if wait > 0:
            raise LoginDelayed(wait)
        try:
            identity = await self._recorded(credentials, address)
        except Unauthorized:
            self.backoff.fail(user, address, now)
            raise
        self.backoff.succeed(user, address)
        return identity

    async def exchanged(self, text: str, address: str) -> Identity:
        """The caller by a trust, whose CI's token this is.  Raises Unauthorized."""
        try:
            if self.exchange is None:
                raise Unauthorized(_WRONG)
            return await self.exchange.accept(text)
        except Unauthorized:
            self.failures.add(OIDC_USER, address)
            raise

    async def _recorded(self, credentials: BasicCredentials, address: str) -> Identity:
        """``identify``, with a failure written to the audit."""
        try:
            return await self.identify(credentials, address)
        except Unauthorized:
            self.failures.add(credentials.user, address)
            raise

    async def _by_token(self, secret: TokenSecret, user: str | None, address: str) -> Identity:
        found = await self.database.look(tokens.BY_ID, secret.id)
        if found is None or not secret.is_of(found.hash) or user not in (None, found.principal):
            raise Unauthorized(_WRONG)
        now = self.clock.wall_ms()
        if found.expires_at is not None and found.expires_at <= now:
            raise Unauthorized("the token has expired")
        if found.is_disabled:
            raise Unauthorized(f"{found.principal} is disabled")
        self.uses.add(secret.id, now, address)
        return Identity(found.principal_id, found.principal, secret.id)

    async def _by_trust(self, password: str) -> Identity:
        """By a CI's token, or by an access token that one was exchanged for.

        The latter counts as often as docker sends it, if it was asked for without a scope: any
        other must give no access beyond its scopes.
        """
        token = verify(password, self.key, self.service)
        if token is None:
            if self.exchange is None:
                raise Unauthorized(_WRONG)
            return await self.exchange.accept(password)
        found = await self.database.look(trusts.BY_PRINCIPAL, token.principal)
        if found is None or token.credential or token.password is not None:
            raise Unauthorized(_EXPIRED)
        if token.expires_at * 1000 <= self.clock.wall_ms():
            raise Unauthorized("the access token has expired")
        if found.is_disabled:
            raise Unauthorized(f"{found.trust.name} is disabled")
        if token.scopes != (SIGN_IN,):
            raise Unauthorized("the access token is for a scope: exchange one without, to sign in")
        return Identity(found.principal, found.trust.name, ends_at=token.expires_at)

    async def _by_password(self, user: str, password: str) -> Identity:
        found = await self.database.look(principals.BY_NAME, user)
        stored = None if found is None else found.password
        is_right = await self.passwords.check(password, stored)
        if not is_right or found is None or found.disabled_at is not None:
            raise Unauthorized(_WRONG)
        if stored is not None and is_bcrypt(stored):
            await self._rehash(found.id, password, stored)
        return Identity(found.id, found.name, password=found.version)

    async def _rehash(self, principal: int, password: str, stored: str) -> None:
        """Replace an imported hash by one of our own, which takes the time of all others."""
        new = await self.passwords.hash(password)
        with contextlib.suppress(OCIError):  # a disk that takes no write: another time
            await self.database.write(
                lambda connection: principals.replace_hash(connection, principal, stored, new),
                on=None,
            )


# The same identity for the same text: its decisions are found by it.  Raised for any other text.
@lru_cache(maxsize=1024)
def _identity_of(text: str, key: bytes, service: str) -> Identity:
    token = verify(text, key, service)
    if token is None:
        raise Unauthorized(_EXPIRED, error="invalid_token")
    return Identity(token.principal, token.name, token.credential, access_token=token)
