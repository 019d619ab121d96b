"""Users: make or replace one, or change some of its members, in one transaction."""

from __future__ import annotations

from dataclasses import dataclass, field

from registry.errors import Conflict, Invalid
from registry.services.context import RegistryState
from registry.services.identity.principals import (
    Principal,
    hash_password,
    parse_name,
    remove,
    require,
    require_owner,
)
from registry.services.management.conditions import ANY, Conditions, Written, revision_of
from registry.storage.database.contract import Connection
from registry.storage.metadata import audit
from registry.storage.metadata.audit import Change
from registry.storage.metadata.identity import principals


@dataclass(frozen=True, slots=True)
class UserChange:
    """The members of a user that change; None leaves one as it is."""

    is_owner: bool | None = None
    is_auditor: bool | None = None
    is_disabled: bool | None = None
    password: str | None = field(default=None, repr=False)
    removes_password: bool = False

    def columns(self, found: Principal, at: int) -> dict[str, object]:
        """The columns that become different, without the password."""
        values: dict[str, object] = {}
        if self.is_owner is not None and self.is_owner != found.is_owner:
            values["is_owner"] = int(self.is_owner)
        if self.is_auditor is not None and self.is_auditor != found.is_auditor:
            values["is_auditor"] = int(self.is_auditor)
        if self.is_disabled is not None and self.is_disabled != (found.disabled_at is not None):
            values["disabled_at"] = at if self.is_disabled else None
        return values


def revision(user: Principal) -> str:
    return revision_of(user.version)


async def put_user(
    state: RegistryState,
    actor: str,
    name: str,
    change: UserChange,
    conditions: Conditions = ANY,
) -> Written[Principal]:
    """Add a user, or change the one of that name.

    Raises Invalid, ConditionFailed, or Conflict for a name that is taken and for the last owner.
    """
    checked, hashed = parse_name(name), await _hashed(state, change)

    def unit(connection: Connection) -> Written[Principal]:
        found = principals.find(connection, name)
        if found is not None and found.kind != "user":
            raise Conflict(f"there is a {found.kind} {name} already")
        conditions.check(None if found is None else revision(found))
        begun = state.begin_change(connection, actor)
        if found is None:
            principals.add(connection, begun, checked, "user")
            audit.append(connection, begun, "user.add", "", name)
        _change(connection, begun, require(connection, name, "user"), change, hashed)
        return Written(require(connection, name, "user"), found is None)

    written = await state.database.write(unit, on=None)
    state.identities.exist = True
    return written


async def change_user(
    state: RegistryState,
    actor: str,
    name: str,
    change: UserChange,
    conditions: Conditions = ANY,
) -> Principal:
    """Raises Absent, Invalid, ConditionFailed, or Conflict for the last owner."""
    hashed = await _hashed(state, change)

    def unit(connection: Connection) -> Principal:
        found = require(connection, name, "user")
        conditions.check(revision(found))
        begun = state.begin_change(connection, actor)
        _change(connection, begun, found, change, hashed)
        return require(connection, name, "user")

    return await state.database.write(unit, on=None)


async def remove_user(
    state: RegistryState, actor: str, name: str, conditions: Conditions = ANY
) -> None:
    """Raises Absent, ConditionFailed, or Conflict for the last owner."""

    def check(connection: Connection) -> None:
        conditions.check(revision(require(connection, name, "user")))

    await remove(state, actor, name, "user", check)


async def _hashed(state: RegistryState, change: UserChange) -> str | None:
    if change.password is None:
        return None
    if change.removes_password:
        raise Invalid("a password is given and removed, expected one of both")
    return await hash_password(state, change.password)


def _change(
    connection: Connection, begun: Change, found: Principal, change: UserChange, hashed: str | None
) -> None:
    values = change.columns(found, begun.at)
    changes_password = hashed is not None or (change.removes_password and found.password)
    if not values and not changes_password:
        return
    password = {"password": hashed} if changes_password else {}
    principals.change_row(connection, found.id, **values, **password)
    if found.is_owner:
        require_owner(connection, found.name)
    if values:
        detail = " ".join(f"{key}={value}" for key, value in values.items())
        audit.append(connection, begun, "user.change", "", found.name, detail)
    if changes_password:
        audit.append(connection, begun, "user.password", "", found.name)
