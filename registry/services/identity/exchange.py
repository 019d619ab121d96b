"""TokenExchange: a CI's own token to the identity of the trust that accepts it.

https://www.rfc-editor.org/rfc/rfc8693
"""

from __future__ import annotations

from dataclasses import dataclass, field

import structlog

from registry.auth.oidc.keys import TokenRefused
from registry.auth.oidc.subject_tokens import (
    SubjectToken,
    check_signature,
    parse_subject_token,
)
from registry.auth.oidc.times import check_times
from registry.errors import Unauthorized
from registry.services.identity.identity import Identity
from registry.services.identity.issuers import Issuers
from registry.storage.clock import Clock
from registry.storage.database.contract import Database
from registry.storage.metadata.identity import trusts
from registry.storage.metadata.identity.trusts import StoredTrust

MAX_SEEN = 50_000

# The same for all trusts: anybody can have a token of a public issuer, and asks what is expected.
_NO_TRUST = (
    "no trust accepts this token: the operator of this registry sees the reason by "
    "`registry trust inspect`"
)

log = structlog.get_logger()


class SeenTokens:
    """The tokens that were accepted, until each expires; each is accepted once."""

    def __init__(self) -> None:
        self._until: dict[str, int] = {}

    def add(self, token: SubjectToken, now: int) -> None:
        """Raises TokenRefused for a token that was seen, or if there are too many."""
        if len(self._until) >= MAX_SEEN:
            self._until = {key: until for key, until in self._until.items() if until > now}
        if self._until.get(token.replay_id, -1) > now:
            raise TokenRefused("the token was used before, and counts once: ask for another")
        if len(self._until) >= MAX_SEEN:
            raise TokenRefused("too many tokens are in use: try again in some minutes")
        self._until[token.replay_id] = token.expires_at


@dataclass(frozen=True, slots=True)
class TokenExchange:
    """Accepts the tokens of CI issuers.

    ``own_address``: the audience of trusts that name no other, ``server.external_url``.
    ``started_at``: in seconds.  Tokens issued before were perhaps used before, which is not known.
    """

    database: Database
    clock: Clock
    issuers: Issuers
    own_address: str
    started_at: int
    seen: SeenTokens = field(default_factory=SeenTokens)

    async def accept(self, text: str) -> Identity:
        """The identity of the trust that accepts a token.  Raises Unauthorized."""
        try:
            token = parse_subject_token(text)
            found = await self._of_issuer(token)
            check_times(token.claims, self._now())
            await self._verify(token, found)
            chosen = self._chosen(token, found)
            # Last, and without a pause after the check: of two copies, one is accepted.
            self._check_unused(token)
        except TokenRefused as refused:
            raise Unauthorized(str(refused), error="invalid_token") from None
        ends_at = self._now() + chosen.trust.life_seconds
        return Identity(chosen.principal, chosen.trust.name, ends_at=ends_at)

    async def _of_issuer(self, token: SubjectToken) -> list[StoredTrust]:
        found = await self.database.read(
            lambda connection: trusts.of_issuer(connection, token.issuer)
        )
        if not found:
            raise TokenRefused(_NO_TRUST)
        return found

    async def _verify(self, token: SubjectToken, found: list[StoredTrust]) -> None:
        private = any(each.is_private for each in found)
        try:
            key = await self.issuers.key(token.issuer, token.key_id, private=private)
        except TokenRefused as refused:
            # For the operator: an address of the network behind is no caller's business.
            log.warning(f"token of {token.issuer} refused: {refused}")
            raise TokenRefused("the token's signature cannot be verified") from None
        check_signature(token, key)

    def _chosen(self, token: SubjectToken, found: list[StoredTrust]) -> StoredTrust:
        """The trust that accepts the token: of several, the one with the most claims."""
        accepting = []
        for each in found:
            refusal = each.refusal(token.claims, self.own_address)
            if refusal:
                log.info(f"trust {each.trust.name} refuses a token: {refusal}")
            else:
                accepting.append(each)
        if not accepting:
            raise TokenRefused(_NO_TRUST)
        return min(accepting, key=lambda each: (-len(each.trust.claims), each.trust.name))

    def _check_unused(self, token: SubjectToken) -> None:
        issued_at = token.claims["iat"]
        if isinstance(issued_at, int) and issued_at < self.started_at:
            raise TokenRefused("the token is older than the registry's start: ask for another")
        now = self._now()
        check_times(token.claims, now)  # again: fetching keys took time
        self.seen.add(token, now)

    def _now(self) -> int:
        return self.clock.wall_ms() // 1000
