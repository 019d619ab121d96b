"""Edge links: link the edges that one unit has left, in further units.

A client's manifests may name one digest 90,000 times before it is pushed.  Content is kept for an
edge that is not linked too: a crash in between loses nothing, and the next push goes on.
"""

from __future__ import annotations

from oci.digest import Digest
from oci.reference import RepositoryName
from registry.storage.database.contract import Connection, Database
from registry.storage.metadata import edges, repositories


async def link_rest(database: Database, name: RepositoryName, digest: Digest) -> None:
    """Link all edges of the repository to this content, a bounded number in each unit."""

    def unit(connection: Connection) -> bool:
        repository = repositories.find(connection, name)
        return repository is not None and edges.link_some(connection, repository, digest)

    some = await database.look(edges.UNLINKED, name, digest) is not None
    while some:
        some = await database.write(unit, on=name, purpose="link")
