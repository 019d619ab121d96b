"""Referrers: the manifests whose subject is a given digest, which need not exist.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass

from oci.descriptor import Descriptor
from oci.digest import Digest
from registry.services.context import RepositoryContext
from registry.services.pages import Page
from registry.storage.database.contract import Connection
from registry.storage.metadata import referrers, repositories


@dataclass(frozen=True, slots=True)
class Referrers:
    """The referrers within one repository."""

    _context: RepositoryContext

    async def list(
        self,
        subject: Digest,
        *,
        artifact_type: str | None,
        last: Digest | None,
        n: int,
        max_bytes: int,
    ) -> Page[Descriptor]:
        """Descriptors in the order of their digests, after ``last``.

        At most ``n``, and at most ``max_bytes`` of JSON, but one at least if there is any and
        ``n`` is not 0.

        An unknown repository or subject has none, which is no error.
        """

        def unit(connection: Connection) -> Page[Descriptor]:
            repository = repositories.find(connection, self._context.name)
            if repository is None:
                return Page((), more=False)
            found = referrers.descriptors(
                connection, repository, subject, artifact_type=artifact_type, last=last, limit=n + 1
            )
            with closing(found):
                return first_page(found, n, max_bytes)

        return await self._context.database.read(unit)


def first_page(found: Iterable[Descriptor], n: int, max_bytes: int) -> Page[Descriptor]:
    """The first descriptors that fit in ``n`` and ``max_bytes``."""
    items: list[Descriptor] = []
    size = 0
    for descriptor in found:
        size += len(json.dumps(descriptor.to_json(), separators=(",", ":"))) + 1
        if len(items) == n or (items and size > max_bytes):
            # The spec allows no next page after a page of size 0.
            return Page(tuple(items), more=n > 0)
        items.append(descriptor)
    return Page(tuple(items), more=False)
