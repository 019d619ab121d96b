"""Tag history: where tags pointed, who pointed them there, and when."""

from __future__ import annotations

from collections.abc import Sequence

from oci.reference import RepositoryName, Tag
from registry.errors import CommandRefused
from registry.services.context import RegistryState
from registry.storage.metadata import tags
from registry.storage.metadata.tags import TagChange
from registry.storage.metadata.trash import repositories as deleted_repositories
from registry.storage.metadata.trash.repositories import Deletion


async def history(
    state: RegistryState, name: RepositoryName, tag: Tag | None
) -> Sequence[TagChange]:
    """Every change, oldest first; also of a repository that was deleted."""
    found = await state.database.operator.read(
        lambda connection: tags.history(connection, name, tag)
    )
    if not found:
        what = name if tag is None else f"{name}:{tag}"
        raise CommandRefused(f"no tag was ever pushed to {what}")
    return found


async def deletions(state: RegistryState, name: RepositoryName) -> Sequence[Deletion]:
    """When the repository was deleted with all its tags, oldest first; what was undone is not."""
    return await state.database.operator.read(
        lambda connection: deleted_repositories.deletions(connection, name)
    )
