"""Locks of tags: add, remove, list; and the check in the unit that moves a tag."""

from __future__ import annotations

from collections.abc import Sequence

from oci.digest import Digest
from oci.reference import RepositoryName, Tag
from registry.auth.decision import TagFacts
from registry.auth.globs import Glob
from registry.auth.patterns import Pattern
from registry.auth.roles import Role
from registry.errors import Absent, TagLocked, TagMoveDenied
from registry.services.context import RegistryState
from registry.services.identity.principals import parse_name
from registry.storage.database.contract import Connection
from registry.storage.metadata import audit, repositories, tags
from registry.storage.metadata.identity import locks
from registry.storage.metadata.identity.locks import Lock


async def put_lock(
    state: RegistryState, actor: str, name: str, pattern: Pattern, glob: Glob
) -> bool:
    """Add a lock, or replace the one of this name; True if it is new.  Raises Invalid."""
    checked = str(parse_name(name))

    def unit(connection: Connection) -> bool:
        change = state.begin_change(connection, actor)
        is_new = locks.put(connection, change, checked, pattern, glob)
        audit.append(connection, change, "lock.put", str(pattern), name, str(glob))
        return is_new

    return await state.database.write(unit, on=None)


async def remove_lock(state: RegistryState, actor: str, name: str) -> None:
    """Raises Absent."""

    def unit(connection: Connection) -> None:
        if not locks.remove(connection, name):
            raise Absent(f"there is no lock {name}")
        change = state.begin_change(connection, actor)
        audit.append(connection, change, "lock.remove", "", name)

    await state.database.write(unit, on=None)


async def list_locks(state: RegistryState) -> list[Lock]:
    return await state.database.read(locks.listed)


def check_move(
    connection: Connection,
    name: RepositoryName,
    repository: int,
    moved: Sequence[Tag],
    digest: Digest | None,
    role: Role | None,
) -> None:
    """Raise unless these tags may be pointed to a manifest, or removed (None).

    Decided on the rows of the transaction that moves them (rules AZ-2 and AZ-3): a tag that exists
    and points elsewhere is moved by ``push``, and not at all if a lock holds it.  A role of None
    is the registry's own: it may do anything that no lock forbids.

    Raises TagLocked or TagMoveDenied.
    """
    current = tags.current_digests(connection, repository, moved)
    new = None if digest is None else str(digest)
    changed = [str(tag) for tag in moved if current.get(str(tag), new) != new]
    if not changed:
        return
    held = locks.of_repository(connection, name)
    for tag in changed:
        lock = locks.find(held, tag)
        if lock is not None:
            raise TagLocked(tag, lock=lock.name, glob=str(lock.tags))
        if digest is not None and role is not None and role < Role.PUSH:
            raise TagMoveDenied(tag, current[tag])


def tag_facts(connection: Connection, name: RepositoryName, tag: Tag) -> TagFacts:
    """Whether a tag exists, and the lock that holds it."""
    repository = repositories.find(connection, name)
    found = None if repository is None else tags.find(connection, repository, tag)
    lock = locks.find(locks.of_repository(connection, name), str(tag))
    return TagFacts(
        str(tag), found is not None, "" if lock is None else f"{lock.name} ({lock.tags})"
    )
