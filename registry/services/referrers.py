"""Referrers: the manifests whose subject is a given manifest, there or not.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers
"""

from __future__ import annotations

from dataclasses import dataclass

from oci.descriptor import Descriptor
from oci.digest import Digest
from registry.services.context import RepositoryContext
from registry.services.pages import Page
from registry.storage.database.sqlite import Connection
from registry.storage.metadata import referrers, repositories


@dataclass(frozen=True, slots=True)
class Referrers:
    """The referrers within one repository."""

    _context: RepositoryContext

    async def list(
        self, subject: Digest, *, artifact_type: str | None, last: Digest | None, n: int
    ) -> Page[Descriptor]:
        """Descriptors in the order of their digests, after ``last``.

        An unknown repository or subject has none: that is an answer, not an error.
        """

        def unit(connection: Connection) -> list[Descriptor]:
            repository = repositories.find(connection, self._context.name)
            if repository is None:
                return []
            return referrers.descriptors(
                connection, repository, subject, artifact_type=artifact_type, last=last, limit=n + 1
            )

        return Page.of(await self._context.database.read(unit), n)
