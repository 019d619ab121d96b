"""Access: identify the caller, authorize the request, and create the repository it may reach.

Deny by default; no decision outlives a change of the rows that it was taken from (rule AZ-10).

https://distribution.github.io/distribution/spec/auth/token/ describes the challenge of a 401
"""

from dataclasses import dataclass

from starlette.requests import Request

from oci.errors import OCIError
from oci.reference import RepositoryName
from registry.api.client_address import network_of
from registry.auth.credentials import BasicCredentials, BearerToken, parse_credentials
from registry.auth.passwords import TooManyLogins
from registry.auth.roles import ACTIONS, NEEDED, Access, Role
from registry.auth.scopes import CATALOG, REPOSITORY, Scope
from registry.errors import TooManyRequests, Unauthorized
from registry.services.identity.authentication import Authentication
from registry.services.identity.authorization import Authorization, without_scope
from registry.services.identity.identity import ANONYMOUS, Identity
from registry.services.identity.token_service import TokenService
from registry.services.repositories import Caller, Page, Registry, Repository

# Asked for together, as distribution does: a client that may push pulls too.
_ASKED = {"pull": ("pull",), "push": ("pull", "push"), "delete": ("delete",), "*": ("*",)}
# The actions, as a person reads them.
_VERBS = {"pull": "pull from", "push": "push to", "delete": "delete from", "*": "administer"}


NOBODY = (
    "nobody can sign in yet: the operator of this registry makes the first user with "
    "`registry setup`, or lets anyone in with --anonymous"
)


@dataclass(frozen=True, slots=True)
class Authorizer:
    """Creates every Repository that a handler gets, and decides every access (rule AZ-1)."""

    registry: Registry
    authentication: Authentication
    authorization: Authorization
    tokens: TokenService

    async def authorize(self, request: Request, access: Access) -> Registry:
        """The registry, for endpoints without a repository; raises Unauthorized."""
        if access == "open":
            return self.registry
        identity = await self.identify(request)
        if access == "check":
            if identity.is_anonymous and not self._is_open(request):
                # Also where anyone may pull: a client that is not challenged here never signs in.
                known = self.registry.has_identities
                raise Unauthorized("sign in, or ask for an anonymous token" if known else NOBODY)
            await self.require_valid(identity)
        if access == "catalog":
            await self._require_catalog(request, identity)
        return self.registry

    async def authorize_in(self, request: Request, access: Access, name: str) -> Repository:
        """The repository of that name; raises Unauthorized or InvalidName."""
        identity = await self.identify(request)
        repository = RepositoryName.parse(name)
        role = await self._require(request, identity, access, repository)
        return self._repository(request, identity, repository, role)

    async def source(self, request: Request, name: str) -> Repository | None:
        """The repository to mount a blob from; None, without a reason, if not (rule AZ-5).

        Decided from live grants, and not from the scope: clients ask for one of the target.
        """
        try:
            identity = without_scope(await self.identify(request))
            repository = RepositoryName.parse(name)
            role = await self._require(request, identity, "pull", repository)
        except OCIError:
            return None
        return self._repository(request, identity, repository, role)

    async def is_source(self, request: Request, name: RepositoryName) -> bool:
        """Whether a blob may be mounted from that repository."""
        return await self.source(request, str(name)) is not None

    async def identify(self, request: Request) -> Identity:
        """The caller; raises Unauthorized for credentials that are wrong.

        Credentials are checked for form and otherwise ignored where nobody can sign in: a client
        that sends an old token may do as much as one without.
        """
        found = request.scope.get("identity")
        if isinstance(found, Identity):
            return found
        identity = ANONYMOUS
        given = [value for name, value in request.scope["headers"] if name == b"authorization"]
        if given:
            credentials = parse_credentials([value.decode("latin-1") for value in given])
            if credentials is not None and self.registry.has_identities:
                identity = await self.sign_in(credentials, network_of(request.scope))
        request.scope["identity"] = identity
        return identity

    async def visible(
        self, request: Request, *, last: str | None, n: int | None
    ) -> Page[RepositoryName]:
        """The repositories that the caller may see, in byte order, after ``last`` (rule AZ-8)."""
        return await self.authorization.visible(await self.identify(request), last=last, n=n)

    async def sign_in(self, credentials: BasicCredentials | BearerToken, address: str) -> Identity:
        """The caller; raises Unauthorized or TooManyRequests."""
        try:
            return await self.authentication.sign_in(credentials, address)
        except TooManyLogins:
            raise TooManyRequests("too many passwords are being checked: try again") from None

    async def require_valid(self, identity: Identity, *, scope: str = "") -> None:
        """Raise Unauthorized unless the caller's account and credential count now."""
        if identity is ANONYMOUS:
            return
        standing = await self.authorization.standing(identity, None)
        if standing.is_disabled or standing.credential_problem:
            reason = standing.credential_problem or f"{identity.name} is disabled"
            raise Unauthorized(reason, scope=scope, error="invalid_token")

    def _is_open(self, request: Request) -> bool:
        """Whether a caller without credentials has nothing to sign in to, or has a token."""
        if self.registry.has_identities:
            return "authorization" in request.headers
        return self.authorization.everyone is not None

    async def _require_catalog(self, request: Request, identity: Identity) -> None:
        if identity.is_anonymous and not self._is_open(request):
            raise Unauthorized("sign in to list repositories", scope=f"{CATALOG}:*")
        token = identity.access_token
        if token is not None and not token.allows("registry", "catalog", "*"):
            raise Unauthorized(
                "the access token's scope lacks the catalog",
                scope=f"{CATALOG}:*",
                error="insufficient_scope",
            )
        await self.require_valid(identity, scope=f"{CATALOG}:*")

    async def _require(
        self, request: Request, identity: Identity, access: Access, name: RepositoryName
    ) -> Role:
        """The caller's role in the repository; raises Unauthorized."""
        everyone = self.authorization.everyone
        if identity is ANONYMOUS and everyone is not None and everyone >= NEEDED[access]:
            return everyone  # by a setting, so no row can change it
        at = 0
        if self._has_expired(identity) and (session := _session_of(request)) is not None:
            # An upload is not broken off by the end of the token that it began with.
            at = await self.registry.upload_began(name, session, identity.name) or 0
        decided = await self.authorization.decide(identity, access, name, at=at)
        if isinstance(decided, Role):
            return decided
        reason = decided.reason if self.registry.has_identities else NOBODY
        is_credential = decided.steps[-1].name in ("identity", "credential")
        error = "invalid_token" if is_credential else "insufficient_scope"
        raise _unauthorized(identity, access, name, reason, error)

    def _has_expired(self, identity: Identity) -> bool:
        token = identity.access_token
        return token is not None and token.expires_at * 1000 <= self.authorization.clock.wall_ms()

    def _repository(
        self, request: Request, identity: Identity, name: RepositoryName, role: Role
    ) -> Repository:
        return self.registry.repository(
            name,
            identity.name,
            may_push=role >= Role.CREATE,
            caller=Caller(network_of(request.scope), is_anonymous=identity.is_anonymous),
            role=role,
        )


def _unauthorized(
    identity: Identity, access: Access, name: RepositoryName, reason: str, error: str
) -> Unauthorized:
    # 401 and never 403: clients with a token for less ask for more only at a challenge.
    scope = str(Scope(REPOSITORY, str(name), _ASKED[ACTIONS[access]]))
    if identity.is_anonymous:
        # An anonymous caller learns no more than that.
        sign_in = f"sign in to {_VERBS[ACTIONS[access]]} this repository"
        return Unauthorized(reason if reason == NOBODY else sign_in, scope=scope)
    return Unauthorized(reason, scope=scope, error=error)


def _session_of(request: Request) -> str | None:
    session = request.scope.get("path_params", {}).get("session")
    return session if isinstance(session, str) else None
