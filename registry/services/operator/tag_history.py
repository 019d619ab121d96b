"""Tag history: every change of a tag, with identity and time."""

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
    """Every change, oldest first, deleted repositories included."""
    found = await state.database.operator.read(
        lambda connection: tags.history(connection, name, tag)
    )
    if not found:
        what = name if tag is None else f"{name}:{tag}"
        raise CommandRefused(f"no tag was ever pushed to {what}")
    return found


async def deletions(state: RegistryState, name: RepositoryName) -> Sequence[Deletion]:
    """Every deletion of the repository that was not undone, oldest first."""
    return await state.database.operator.read(
        lambda connection: deleted_repositories.deletions(connection, name)
    )
