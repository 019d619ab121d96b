"""Registry, and Repository: all operations on one repository."""

from __future__ import annotations

from dataclasses import dataclass

from oci.reference import RepositoryName
from registry.auth.roles import Role
from registry.services.blobs import Blobs
from registry.services.context import (
    UNKNOWN_CALLER,
    Caller,
    ManifestPolicy,
    RegistryState,
    RepositoryContext,
)
from registry.services.manifests import Manifests
from registry.services.pages import Page, limit
from registry.services.referrers import Referrers
from registry.services.tags import Tags
from registry.services.uploads import Uploads
from registry.storage.blobs.names import is_session
from registry.storage.metadata import repositories, uploads

__all__ = ["Caller", "ManifestPolicy", "Page", "Registry", "Repository"]


@dataclass(frozen=True, slots=True)
class Repository:
    """One repository, for an authorized caller: only the authorizer creates it."""

    _context: RepositoryContext

    @property
    def name(self) -> RepositoryName:
        return self._context.name

    @property
    def blobs(self) -> Blobs:
        return Blobs(self._context)

    @property
    def uploads(self) -> Uploads:
        return Uploads(self._context)

    @property
    def manifests(self) -> Manifests:
        return Manifests(self._context)

    @property
    def tags(self) -> Tags:
        return Tags(self._context)

    @property
    def referrers(self) -> Referrers:
        return Referrers(self._context)


class Registry:
    """All repositories."""

    def __init__(self, state: RegistryState) -> None:
        self._state = state

    def repository(
        self,
        name: RepositoryName,
        identity: str,
        *,
        may_push: bool = False,
        caller: Caller = UNKNOWN_CALLER,
        role: Role | None = None,
    ) -> Repository:
        """The repository, whether or not it exists yet.  For the authorizer alone."""
        return Repository(RepositoryContext(name, identity, self._state, may_push, caller, role))

    @property
    def state(self) -> RegistryState:
        """For the management API alone, whose handlers reach no content."""
        return self._state

    @property
    def has_identities(self) -> bool:
        """Whether there is anybody to sign in."""
        return self._state.identities.exist

    async def upload_began(self, name: RepositoryName, session: str, identity: str) -> int | None:
        """When an identity's upload session began, in milliseconds; None if there is none."""
        if not is_session(session):
            return None
        found = await self._state.database.look(uploads.FIND, session, name)
        return None if found is None or found.identity != identity else found.created_at

    async def names(self, *, last: str | None, n: int | None) -> Page[RepositoryName]:
        """The repositories in byte order, after ``last``."""
        found = await self._state.database.read(
            lambda connection: repositories.names(connection, last=last, limit=limit(n))
        )
        return Page.of(found, n)

    @property
    def problem(self) -> str | None:
        """The reason that writes are refused, in a sentence; None if they are not."""
        return self._state.database.problem
