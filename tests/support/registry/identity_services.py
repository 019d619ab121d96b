"""A registry with identities, in this process: services over a real root, and a fake clock."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oci.reference import RepositoryName
from registry.auth.credentials import BasicCredentials, BearerToken
from registry.auth.decision import Decision, Narrowing
from registry.auth.patterns import Pattern
from registry.auth.roles import Access, Role
from registry.auth.secrets import TokenSecret
from registry.services.context import RegistryState
from registry.services.identity import grants, tokens
from registry.services.identity.authentication import Authentication
from registry.services.identity.authorization import Authorization
from registry.services.identity.failed_logins import FailedLogins
from registry.services.identity.identity import Identity
from registry.services.identity.startup import signing_key
from registry.services.identity.token_service import TokenService
from registry.services.identity.token_uses import TokenUses
from tests.support.registry.clocks import FakeClock
from tests.support.registry.storage import Service, a_service

ADDRESS = "192.0.2.1"
PASSWORD = "correct horse battery"  # noqa: S105
ANOTHER = "another horse battery"


@dataclass(frozen=True, slots=True, repr=False)
class IdentityServices:
    """The services of identities."""

    service: Service
    clock: FakeClock
    uses: TokenUses
    authentication: Authentication
    authorization: Authorization
    tokens: TokenService

    @property
    def state(self) -> RegistryState:
        return self.service.state

    async def by_password(self, user: str, password: str = PASSWORD) -> Identity:
        return await self.authentication.identify(BasicCredentials(user, password), ADDRESS)

    async def by_token(self, secret: TokenSecret, user: str | None = None) -> Identity:
        """With a user as Basic, without one as Bearer."""
        given = BearerToken(secret.text) if user is None else BasicCredentials(user, secret.text)
        return await self.authentication.identify(given, ADDRESS)

    async def by_bearer(self, text: str) -> Identity:
        return await self.authentication.identify(BearerToken(text), ADDRESS)

    async def decide(
        self, identity: Identity, access: Access = "pull", name: str = "team/app", *, at: int = 0
    ) -> Decision:
        """The steps of an access that is refused."""
        decided = await self.authorization.decide(identity, access, RepositoryName(name), at=at)
        assert isinstance(decided, Decision)
        return decided

    async def may(
        self, identity: Identity, access: Access = "pull", name: str = "team/app", *, at: int = 0
    ) -> bool:
        decided = await self.authorization.decide(identity, access, RepositoryName(name), at=at)
        return isinstance(decided, Role)

    async def grant(self, who: str, role: Role, pattern: str) -> None:
        await grants.add_grant(self.state, "op", who, role, Pattern(pattern))

    async def robot(self, name: str, *given: tuple[Role, str], **more: Any) -> TokenSecret:
        pairs = [(role, Pattern(pattern)) for role, pattern in given]
        minted = await tokens.add_robot(
            self.state, "op", name, pairs, life_ms=more.pop("life_ms", None)
        )
        return minted.secret

    async def mint(
        self,
        name: str,
        limits: Sequence[tuple[Role, str]] | None = None,
        *,
        life_ms: int | None = None,
    ) -> TokenSecret:
        narrowing = (
            None
            if limits is None
            else [Narrowing(role, Pattern(pattern)) for role, pattern in limits]
        )
        minted = await tokens.mint_token(
            self.state, "op", name, label="", limits=narrowing, life_ms=life_ms
        )
        return minted.secret

    async def audit(self) -> list[tuple[Any, ...]]:
        """The changes so far: action, repository, target and detail, oldest first."""
        return await self.service.rows(
            "SELECT action, repository, target, detail FROM audit ORDER BY id"
        )


@contextlib.asynccontextmanager
async def identity_services(
    path: Path, clock: FakeClock, *, everyone: Role | None = None
) -> AsyncIterator[IdentityServices]:
    async with a_service(path, clock=clock) as service:
        state, uses = service.state, TokenUses()
        authentication = Authentication(
            state.database,
            clock,
            state.identities.passwords,
            await signing_key(state),
            uses,
            FailedLogins(),
        )
        authorization = Authorization(state.database, clock, everyone)
        tokens = TokenService(authentication, authorization)
        yield IdentityServices(service, clock, uses, authentication, authorization, tokens)
        state.identities.passwords.close()
