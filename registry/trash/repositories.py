"""Repositories: delete and undelete a whole repository."""

from __future__ import annotations

from functools import partial

from oci.reference import RepositoryName
from registry.errors import CommandRefused, NameUnknown
from registry.services.context import RegistryState
from registry.services.cutoffs import trash_cutoff
from registry.services.identity.locks import Unlocked, check_repository
from registry.storage.database.contract import Connection
from registry.storage.metadata import audit, repositories
from registry.storage.metadata.trash import repositories as deleted_repositories


async def delete_repository(state: RegistryState, identity: str, name: RepositoryName) -> None:
    """Delete the repository in one short transaction; its rows and bytes are deleted later.

    Raises NameUnknown, and TagLocked if a lock holds one of its tags (rule AZ-3).
    """

    def unit(unlocked: Unlocked, connection: Connection) -> bool:
        repository = repositories.find(connection, name)
        if repository is None:
            raise NameUnknown(name)
        if not unlocked.is_current(connection, name, repository):
            return False
        change = state.begin_change(connection, identity)
        repositories.mark_deleted(connection, change, repository, name)
        audit.append(connection, change, "repository.delete", str(name), str(repository))
        return True

    is_deleted = False
    while not is_deleted:
        unlocked = await check_repository(state, name)
        is_deleted = await state.database.write(partial(unit, unlocked), on=name)


async def undelete_repository(state: RegistryState, identity: str, name: RepositoryName) -> None:
    """Undelete a repository as it was."""
    cutoff = await trash_cutoff(state)

    def unit(connection: Connection) -> None:
        if repositories.find(connection, name) is not None:
            raise CommandRefused(f"there is a repository {name}: delete it first, or keep it")
        deleted = deleted_repositories.find(connection, name, cutoff)
        if deleted is None:
            raise CommandRefused(f"no deleted repository {name} that could come back")
        deleted_repositories.undelete(connection, deleted)
        change = state.begin_change(connection, identity)
        audit.append(connection, change, "repository.undelete", str(name), str(deleted.repository))

    await state.database.write(unit, on=name)
