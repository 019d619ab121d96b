"""Tags: list them.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-tags
"""

from __future__ import annotations

from dataclasses import dataclass

from oci.reference import Tag
from registry.errors import NameUnknown
from registry.services.context import RepositoryContext
from registry.services.pages import Page, limit
from registry.storage.database.contract import Connection
from registry.storage.metadata import repositories, tags


@dataclass(frozen=True, slots=True)
class Tags:
    """The tags of one repository."""

    _context: RepositoryContext

    async def list(self, *, last: str | None, n: int | None) -> Page[Tag]:
        """The tags in byte order, after ``last``, which need not exist; or NameUnknown."""
        name = self._context.name

        def unit(connection: Connection) -> list[Tag]:
            repository = repositories.find(connection, name)
            if repository is None:
                raise NameUnknown(name)
            return tags.names(connection, repository, last=last, limit=limit(n))

        return Page.of(await self._context.database.read(unit), n)
