"""Locks of tags: add, remove, list; and the check in the unit that moves a tag."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from oci.digest import Digest
from oci.reference import RepositoryName, Tag
from registry.auth.decision import TagFacts
from registry.auth.globs import Glob
from registry.auth.patterns import USER, Pattern
from registry.auth.roles import Role
from registry.errors import Absent, Conflict, Invalid, TagLocked, TagMoveDenied
from registry.services.context import RegistryState
from registry.services.identity.principals import Check, allow, parse_name
from registry.storage.database.contract import Connection
from registry.storage.metadata import audit, repositories, tags
from registry.storage.metadata.identity import locks
from registry.storage.metadata.identity.locks import Lock

MAX_LOCKS = 1000
TAGS_PER_PAGE = 1000


async def put_lock(
    state: RegistryState,
    actor: str,
    name: str,
    pattern: Pattern,
    glob: Glob,
    check: Check = allow,
) -> bool:
    """Add a lock, or replace the one of this name; True if it is new.

    Raises Invalid, and Conflict if there are as many as there may be.
    """
    checked = str(parse_name(name))
    if pattern.has_user:
        raise Invalid(f"pattern is {pattern}, expected one without {USER}: a lock holds for all")

    def unit(connection: Connection) -> bool:
        check(connection)
        change = state.begin_change(connection, actor)
        is_new = locks.put(connection, change, checked, pattern, glob)
        if is_new and len(locks.listed(connection)) > MAX_LOCKS:
            raise Conflict(f"there are {MAX_LOCKS} locks, the most that there may be")
        audit.append(connection, change, "lock.put", str(pattern), name, str(glob))
        return is_new

    return await state.database.write(unit, on=None)


async def remove_lock(state: RegistryState, actor: str, name: str, check: Check = allow) -> None:
    """Raises Absent."""

    def unit(connection: Connection) -> None:
        check(connection)
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
    held = locks.of_repository(connection, name)
    may_move = digest is None or role is None or role >= Role.PUSH
    if may_move and not held:
        return  # as most pushes: whether the tags exist makes no difference
    current = tags.current_digests(connection, repository, moved)
    new = None if digest is None else str(digest)
    for tag in (str(each) for each in moved if current.get(str(each), new) != new):
        lock = locks.find(held, tag)
        if lock is not None:
            raise TagLocked(tag, lock=lock.name, glob=str(lock.tags))
        if not may_move:
            raise TagMoveDenied(tag, current[tag])


@dataclass(frozen=True, slots=True)
class Unlocked:
    """No tag of a repository was locked, as some pages read: by these locks, up to this change."""

    held: list[Lock]
    newest: int

    def is_current(self, connection: Connection, name: RepositoryName, repository: int) -> bool:
        """Whether the same locks hold in this transaction; raises TagLocked for a tag since."""
        if locks.of_repository(connection, name) != self.held:
            return False
        if self.held:
            check_unlocked(self.held, tags.changed_since(connection, repository, self.newest))
        return True


async def check_repository(state: RegistryState, name: RepositoryName) -> Unlocked:
    """Raise TagLocked if a lock holds a tag of the repository.

    Reads the tags page by page, however many there are, without the write lock.  The transaction
    that removes them asks ``Unlocked.is_current`` for the rest.
    """

    def begin(connection: Connection) -> Unlocked:
        return Unlocked(locks.of_repository(connection, name), tags.newest_change(connection))

    def page(last: str | None, connection: Connection) -> list[Tag]:
        repository = repositories.find(connection, name)
        if repository is None:
            return []
        return tags.names(connection, repository, last=last, limit=TAGS_PER_PAGE)

    found = await state.database.read(begin)
    if found.held:
        await check_pages(state, found.held, page)
    return found


async def check_manifest(state: RegistryState, name: RepositoryName, digest: Digest) -> None:
    """Raise TagLocked if a lock holds a tag of the manifest: before the first of many is gone."""

    def page(last: str | None, connection: Connection) -> list[Tag]:
        repository = repositories.find(connection, name)
        if repository is None:
            return []
        return tags.tags_of(connection, repository, digest, last=last, limit=TAGS_PER_PAGE)

    held = await state.database.read(lambda connection: locks.of_repository(connection, name))
    if held:
        await check_pages(state, held, page)


async def check_pages(
    state: RegistryState,
    held: Sequence[Lock],
    page: Callable[[str | None, Connection], list[Tag]],
) -> None:
    last: str | None = None
    while found := await state.database.read(partial(page, last)):
        check_unlocked(held, found)
        last = str(found[-1])


def check_unlocked(held: Sequence[Lock], found: Sequence[Tag]) -> None:
    for tag in found:
        lock = locks.find(held, str(tag))
        if lock is not None:
            raise TagLocked(str(tag), lock=lock.name, glob=str(lock.tags))


def tag_facts(connection: Connection, name: RepositoryName, tag: Tag) -> TagFacts:
    """Whether a tag exists, and the lock that holds it."""
    repository = repositories.find(connection, name)
    found = None if repository is None else tags.find(connection, repository, tag)
    lock = locks.find(locks.of_repository(connection, name), str(tag))
    return TagFacts(
        str(tag), found is not None, "" if lock is None else f"{lock.name} ({lock.tags})"
    )
