"""Grants and locks within a caller's reach, and lists of those that they may see."""

from __future__ import annotations

from registry.auth.globs import Glob
from registry.auth.patterns import Pattern
from registry.auth.roles import Role
from registry.errors import Absent, Conflict
from registry.services.context import RegistryState
from registry.services.identity.grants import add_grant, remove_grant
from registry.services.identity.identity import Identity
from registry.services.identity.locks import put_lock, remove_lock
from registry.services.identity.principals import require_grantee
from registry.services.management.conditions import ANY, Conditions, Written, revision_of
from registry.services.management.reach import check_seen, reach_of
from registry.storage.database.contract import Connection
from registry.storage.metadata.identity import grants, locks
from registry.storage.metadata.identity.grants import Grant
from registry.storage.metadata.identity.locks import Lock

__all__ = ["Grant", "Lock"]

_ROWS_PER_READ = 500


async def list_grants(
    state: RegistryState, identity: Identity, who: str | None, *, after: int, limit: int
) -> list[Grant]:
    """The grants that a caller may see, in the order in which they were given.  Raises Absent."""

    def unit(connection: Connection) -> list[Grant]:
        reach, last = reach_of(connection, identity), after
        found: list[Grant] = []
        principal = None if who is None else require_grantee(connection, who).id
        while len(found) < limit:
            rows = grants.listed(connection, principal=principal, after=last, limit=_ROWS_PER_READ)
            found += [each for each in rows if reach.touches(each.pattern)]
            if len(rows) < _ROWS_PER_READ:
                break
            last = rows[-1].id
        return found[:limit]

    return await state.database.read(unit)


async def write_grant(
    state: RegistryState,
    identity: Identity,
    who: str,
    role: Role,
    pattern: Pattern,
    conditions: Conditions = ANY,
) -> Written[Grant]:
    """Give a role on a pattern, in place of the one before.

    Raises Absent, Conflict, Denied or ConditionFailed.
    """

    def check(connection: Connection) -> None:
        reach_of(connection, identity).require(pattern)
        found = _find_grant(connection, who, pattern)
        conditions.check(None if found is None else grant_revision(found))

    before = await add_grant(state, identity.name, who, role, pattern, check)
    written = await state.database.read(lambda connection: _find_grant(connection, who, pattern))
    if written is None:
        raise Conflict(f"the grant of {who} on {pattern} was removed meanwhile")
    return Written(written, before is None)


async def delete_grant(
    state: RegistryState,
    identity: Identity,
    who: str,
    pattern: Pattern,
    conditions: Conditions = ANY,
) -> None:
    """Raises Absent, Denied or ConditionFailed."""

    def check(connection: Connection) -> None:
        reach_of(connection, identity).require(pattern)
        found = _find_grant(connection, who, pattern)
        if found is not None:
            conditions.check(grant_revision(found))

    await remove_grant(state, identity.name, who, pattern, check)


async def list_locks(
    state: RegistryState, identity: Identity, *, last: str | None, limit: int
) -> list[Lock]:
    """The locks that a caller may see, after ``last`` in byte order."""

    def unit(connection: Connection) -> list[Lock]:
        reach = reach_of(connection, identity)
        found = [each for each in locks.listed(connection) if reach.touches(each.pattern)]
        return [each for each in found if last is None or each.name > last][:limit]

    return await state.database.read(unit)


async def show_lock(state: RegistryState, identity: Identity, name: str) -> Lock:
    """Raises Absent."""

    def unit(connection: Connection) -> Lock:
        found = _find(connection, name)
        if found is None or not reach_of(connection, identity).touches(found.pattern):
            raise _absent(name)
        return found

    return await state.database.read(unit)


async def write_lock(
    state: RegistryState,
    identity: Identity,
    name: str,
    pattern: Pattern,
    glob: Glob,
    conditions: Conditions = ANY,
) -> Written[Lock]:
    """Add a lock, or replace the one of this name.

    Raises Invalid, Denied, ConditionFailed, or Conflict for a name that is taken out of sight.
    """

    def check(connection: Connection) -> None:
        reach, found = reach_of(connection, identity), _find(connection, name)
        reach.require(pattern)
        if found is not None:
            taken = Conflict(f"the name {name} is taken")
            check_seen(reach, [found.pattern], taken)
        conditions.check(None if found is None else lock_revision(found))

    is_new = await put_lock(state, identity.name, name, pattern, glob, check)
    written = await state.database.read(lambda connection: _find(connection, name))
    if written is None:
        raise Conflict(f"lock {name} was removed meanwhile")
    return Written(written, is_new)


async def delete_lock(
    state: RegistryState, identity: Identity, name: str, conditions: Conditions = ANY
) -> None:
    """Raises Absent, Denied or ConditionFailed."""

    def check(connection: Connection) -> None:
        found = _find(connection, name)
        if found is None:
            raise _absent(name)
        check_seen(reach_of(connection, identity), [found.pattern], _absent(name))
        conditions.check(lock_revision(found))

    await remove_lock(state, identity.name, name, check)


def grant_revision(grant: Grant) -> str:
    """A grant has no version: its time and its role tell it apart."""
    return revision_of(grant.created_at, (str(grant.role),))


def lock_revision(lock: Lock) -> str:
    """A lock has no version: its time and its members tell it apart."""
    return revision_of(lock.created_at, (str(lock.pattern), str(lock.tags)))


def _find(connection: Connection, name: str) -> Lock | None:
    return next((each for each in locks.listed(connection) if each.name == name), None)


def _find_grant(connection: Connection, who: str, pattern: Pattern) -> Grant | None:
    held = grants.listed(connection, principal=require_grantee(connection, who).id)
    return next((each for each in held if each.pattern == pattern), None)


def _absent(name: str) -> Absent:
    return Absent(f"there is no lock {name}")
