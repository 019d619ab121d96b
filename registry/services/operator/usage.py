"""Usage: bytes of a repository or of a tag, and how many its deletion would free."""

from __future__ import annotations

from oci.reference import RepositoryName, Tag
from registry.errors import ManifestUnknown, NameUnknown
from registry.services.context import RegistryState
from registry.storage.database.contract import Connection
from registry.storage.metadata import repositories, tags, usage
from registry.storage.metadata.usage import Size


async def of_repository(state: RegistryState, name: RepositoryName) -> Size:
    """Sizes of the repository's blobs and manifests; raises NameUnknown."""
    return await state.database.operator.read(
        lambda connection: usage.of_repository(connection, require(connection, name))
    )


async def of_tag(state: RegistryState, name: RepositoryName, tag: Tag) -> Size:
    """Sizes of everything the tag reaches; raises NameUnknown or ManifestUnknown."""

    def unit(connection: Connection) -> Size:
        repository = require(connection, name)
        digest = tags.find(connection, repository, tag)
        if digest is None:
            raise ManifestUnknown(tag)
        return usage.of_manifest(connection, repository, digest, str(tag))

    return await state.database.operator.read(unit)


def require(connection: Connection, name: RepositoryName) -> int:
    repository = repositories.find(connection, name)
    if repository is None:
        raise NameUnknown(name)
    return repository
