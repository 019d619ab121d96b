"""Groups: make one, unless there is one of that name."""

from __future__ import annotations

from dataclasses import dataclass

from registry.errors import Conflict
from registry.services.context import RegistryState
from registry.services.identity.principals import Principal, parse_name, remove, require
from registry.services.management.conditions import ANY, Conditions, revision_of
from registry.storage.database.contract import Connection
from registry.storage.metadata import audit
from registry.storage.metadata.identity import principals


@dataclass(frozen=True, slots=True)
class ShownGroup:
    """A group with its members' names."""

    group: Principal
    members: tuple[str, ...]
    revision: str


async def put_group(
    state: RegistryState, actor: str, name: str, conditions: Conditions = ANY
) -> bool:
    """Add a group, or leave the one of that name; True if it is new.

    Raises Invalid, ConditionFailed, or Conflict for a name that is taken.
    """
    checked = parse_name(name)

    def unit(connection: Connection) -> bool:
        found = principals.find(connection, name)
        if found is not None and found.kind != "group":
            raise Conflict(f"there is a {found.kind} {name} already")
        conditions.check(None if found is None else revision(connection, found))
        if found is not None:
            return False
        change = state.begin_change(connection, actor)
        principals.add(connection, change, checked, "group")
        audit.append(connection, change, "group.add", "", name)
        return True

    return await state.database.write(unit, on=None)


async def remove_group(
    state: RegistryState, actor: str, name: str, conditions: Conditions = ANY
) -> None:
    """Raises Absent or ConditionFailed."""

    def check(connection: Connection) -> None:
        conditions.check(revision(connection, require(connection, name, "group")))

    await remove(state, actor, name, "group", check)


def revision(connection: Connection, group: Principal) -> str:
    """Members are rows of their own: they count too."""
    return revision_of(group.version, principals.members_of(connection, group.id))


async def show_group(state: RegistryState, name: str) -> ShownGroup:
    """Raises Absent."""

    def unit(connection: Connection) -> ShownGroup:
        found = require(connection, name, "group")
        members = principals.members_of(connection, found.id)
        return ShownGroup(found, tuple(members), revision(connection, found))

    return await state.database.read(unit)
