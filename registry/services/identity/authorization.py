"""Authorization: decide an access from live rows, by one point read (rules AZ-1 and AZ-10)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from oci.reference import RepositoryName
from registry.auth.decision import Decision, Standing, allows, decide
from registry.auth.patterns import matching
from registry.auth.roles import ACTIONS, Access, Role
from registry.auth.scopes import REPOSITORY
from registry.services.identity.identity import Identity
from registry.services.pages import Page, limit
from registry.storage.clock import Clock
from registry.storage.database.contract import Connection, Database
from registry.storage.metadata.identity import grants
from registry.storage.metadata.identity.standing import FoundStanding, by_patterns, parse_limits
from registry.storage.metadata.repositories import names

# Decisions of one version of the rows: some hundred bytes each.
MAX_KNOWN = 10_000


class _KnownRoles:
    """Roles as decided since the database was last changed: they are still what its rows say."""

    def __init__(self) -> None:
        self._version: int | None = None
        # With the identity itself: its id is another's once it is gone.
        self._roles: dict[tuple[int, str, str], tuple[Identity, Role, int]] = {}

    def find(
        self, version: int | None, identity: Identity, access: Access, name: str, now: int
    ) -> Role | None:
        if version is None or version != self._version:
            self._roles.clear()
            self._version = version
            return None
        found = self._roles.get((id(identity), access, name))
        if found is None or found[0] is not identity or found[2] <= now:
            return None
        return found[1]

    def add(
        self, version: int, identity: Identity, access: Access, name: str, role: Role, until: int
    ) -> None:
        """Remember a role until a time, unless another request has seen a change meanwhile."""
        if version != self._version:
            return
        if len(self._roles) >= MAX_KNOWN:
            self._roles.clear()
        self._roles[id(identity), access, name] = identity, role, until


@dataclass(frozen=True, slots=True)
class Authorization:
    """Decides what callers may do."""

    database: Database
    clock: Clock
    everyone: Role | None = None
    """The role that all callers hold on every repository, by ``access.anonymous``."""
    _known: _KnownRoles = field(default_factory=_KnownRoles)

    async def decide(
        self, identity: Identity, access: Access, name: RepositoryName, *, at: int = 0
    ) -> Role | Decision:
        """The caller's role in a repository if they may have the access, else every step to it.

        ``at``: an access token counts that was valid then, in milliseconds; 0 for now.
        """
        repository, token = str(name), identity.access_token
        version = None
        if token is not None and not at:
            # Read before the rows: a change in between makes it another one at the next request.
            version = self.database.version()
            now = self.clock.wall_ms()
            known = self._known.find(version, identity, access, repository, now)
            if known is not None:
                return known
        standing = await self.standing(identity, repository, at=at)
        scope = None if token is None else token.allows(REPOSITORY, repository, ACTIONS[access])
        if allows(standing, access, repository, scope):
            role = effective_role(standing, repository) or Role.PULL
            if token is not None and version is not None:
                until = token.expires_at * 1000
                if standing.credential_until is not None:
                    until = min(until, standing.credential_until)
                self._known.add(version, identity, access, repository, role, until)
            return role
        return decide(standing, access, repository, scope)

    async def standing(self, identity: Identity, name: str | None, *, at: int = 0) -> Standing:
        """The caller by the rows as they are now, for a repository or for none."""
        patterns = () if name is None else matching(name, identity.name)
        token = identity.access_token
        credential = identity.credential if token is None else token.credential
        read = by_patterns(len(patterns))
        found = await self.database.look(read, identity.principal, credential, *patterns)
        if found is None:
            return Standing(identity.name, credential_problem=f"{identity.name} is removed")
        role = found.role
        if self.everyone is not None and (role is None or self.everyone > role):
            role = self.everyone
        return Standing(
            found.name,
            is_disabled=found.disabled_at is not None,
            is_owner=bool(found.is_owner),
            is_auditor=bool(found.is_auditor),
            credential_until=found.expires_at,
            credential_problem=self._problem(identity, found, at or self.clock.wall_ms()),
            narrowing=None if found.limits is None else parse_limits(found.limits),
            role=role,
        )

    async def visible(
        self, identity: Identity, *, last: str | None, n: int | None
    ) -> Page[RepositoryName]:
        """The repositories that the caller may see, in byte order, after ``last``."""
        standing = await self.standing(identity, None)
        if standing.is_disabled or standing.credential_problem:
            return Page.of([], n)
        within = None
        if standing.narrowing is not None:
            within = [each.pattern.for_user(identity.name) for each in standing.narrowing]
        sees_all = standing.is_owner or standing.is_auditor or self.everyone is not None

        def unit(connection: Connection) -> list[RepositoryName]:
            if sees_all and within is None:
                return names(connection, last=last, limit=limit(n))
            if sees_all:
                ranges = grants.merged(set(within or ()))
                return grants.in_ranges(connection, ranges, last=last, limit=limit(n))
            return grants.visible_names(
                connection, identity.principal, identity.name, within, last=last, limit=limit(n)
            )

        return Page.of(await self.database.read(unit), n)

    def _problem(self, identity: Identity, found: FoundStanding, now: int) -> str:
        """The reason that the caller's credential counts no more."""
        token = identity.access_token
        if token is not None and token.expires_at * 1000 <= now:
            return "the access token has expired"
        credential = identity.credential if token is None else token.credential
        if credential:
            if found.token is None:
                return "the token is revoked"
            if found.expires_at is not None and found.expires_at <= self.clock.wall_ms():
                return "the token has expired"
            return ""
        password = identity.password if token is None else token.password
        if password is not None and password != found.version and not identity.is_anonymous:
            return "the account has changed since the password was checked"
        return ""


def effective_role(standing: Standing, name: str) -> Role | None:
    """The role by grants, by owner, and by the limits of the token."""
    role = Role.ADMIN if standing.is_owner else standing.role
    if role is None or standing.narrowing is None:
        return role
    wide = [each.role for each in standing.narrowing if each.pattern.matches(name, standing.name)]
    return min(role, max(wide)) if wide else None


def without_scope(identity: Identity) -> Identity:
    """The same caller by their live grants, whatever their access token was asked for."""
    token = identity.access_token
    if token is None:
        return identity
    return replace(
        identity, access_token=None, credential=token.credential, password=token.password
    )
