"""Users and groups: add, change, remove.  Each change is one transaction with its audit row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from registry.auth.htpasswd import HtpasswdEntry, is_bcrypt
from registry.auth.names import EVERYONE, PrincipalName
from registry.auth.passwords import check_new_password
from registry.errors import Absent, Conflict, Invalid
from registry.services.context import RegistryState
from registry.storage.database.contract import Connection
from registry.storage.metadata import audit
from registry.storage.metadata.identity import principals, trusts
from registry.storage.metadata.identity.principals import Kind, Principal

__all__ = ["Kind", "Principal"]

MAX_MEMBERS = 10_000

Check = Callable[[Connection], None]
"""Raises unless the actor may make a change: it reads the rows of the change's own transaction."""


def allow(connection: Connection) -> None:
    """The check of the operator, who may do everything."""


@dataclass(frozen=True, slots=True)
class GroupMembers:
    """A group, with the names of its members."""

    group: Principal
    members: tuple[str, ...]


async def add_user(
    state: RegistryState,
    actor: str,
    name: str,
    *,
    password: str | None,
    is_owner: bool = False,
    is_auditor: bool = False,
    is_first: bool = False,
) -> None:
    """Add a user; without a password they can use tokens only.  Raises Invalid or Conflict.

    ``is_first``: only if there is no owner yet.
    """
    checked = parse_name(name)
    hashed = None if password is None else await hash_password(state, password)

    def unit(connection: Connection) -> None:
        if is_first and principals.count_owners(connection):
            raise Conflict("this registry is set up: it has an owner, who adds the others")
        require_free(connection, name)
        change = state.begin_change(connection, actor)
        principals.add(
            connection,
            change,
            checked,
            "user",
            password=hashed,
            is_owner=is_owner,
            is_auditor=is_auditor,
        )
        flags = " ".join(
            word for word, is_set in (("owner", is_owner), ("auditor", is_auditor)) if is_set
        )
        audit.append(connection, change, "user.add", "", name, flags)

    await state.database.write(unit, on=None)
    state.identities.exist = True


async def import_users(state: RegistryState, actor: str, entries: Sequence[HtpasswdEntry]) -> None:
    """Add users with hashes made elsewhere, all or none; the first login makes another hash.

    Raises Invalid or Conflict.
    """
    names = [parse_name(entry.name) for entry in entries]
    for entry in entries:
        if not is_bcrypt(entry.hash):
            raise Invalid(f"the password of {entry.name} is no bcrypt hash")

    def unit(connection: Connection) -> None:
        change = state.begin_change(connection, actor)
        for name, entry in zip(names, entries, strict=True):
            require_free(connection, entry.name)
            principals.add(connection, change, name, "user", password=entry.hash)
            audit.append(connection, change, "user.add", "", entry.name, "htpasswd")

    await state.database.write(unit, on=None)
    state.identities.exist = True


async def set_password(state: RegistryState, actor: str, name: str, password: str) -> None:
    """Give a user another password; access tokens got with the old one end at once."""
    hashed = await hash_password(state, password)

    def unit(connection: Connection) -> None:
        found = require(connection, name, "user")
        change = state.begin_change(connection, actor)
        principals.change_row(connection, found.id, password=hashed)
        audit.append(connection, change, "user.password", "", name)

    await state.database.write(unit, on=None)


async def set_flags(
    state: RegistryState,
    actor: str,
    name: str,
    *,
    is_disabled: bool | None = None,
    is_owner: bool | None = None,
    is_auditor: bool | None = None,
) -> None:
    """Disable or enable a user or robot; make a user an owner or auditor, or not any more.

    Raises Absent, and Conflict for the last owner.
    """

    def unit(connection: Connection) -> None:
        found = require(connection, name, None)
        if found.kind == "group" or (found.kind == "robot" and (is_owner or is_auditor)):
            raise Invalid(f"{name} is a {found.kind}, expected a user")
        change = state.begin_change(connection, actor)
        values: dict[str, object] = {}
        if is_disabled is not None and is_disabled != (found.disabled_at is not None):
            values["disabled_at"] = change.at if is_disabled else None
        if is_owner is not None and is_owner != found.is_owner:
            values["is_owner"] = int(is_owner)
        if is_auditor is not None and is_auditor != found.is_auditor:
            values["is_auditor"] = int(is_auditor)
        if not values:
            return
        principals.change_row(connection, found.id, **values)
        if found.is_owner:
            require_owner(connection, name)
        detail = " ".join(f"{key}={value}" for key, value in values.items())
        audit.append(connection, change, f"{found.kind}.change", "", name, detail)

    await state.database.write(unit, on=None)


async def add_group(state: RegistryState, actor: str, name: str) -> None:
    """Raises Invalid or Conflict."""
    checked = parse_name(name)

    def unit(connection: Connection) -> None:
        require_free(connection, name)
        change = state.begin_change(connection, actor)
        principals.add(connection, change, checked, "group")
        audit.append(connection, change, "group.add", "", name)

    await state.database.write(unit, on=None)


async def add_member(state: RegistryState, actor: str, group: str, member: str) -> bool:
    """Add a user or robot to a group; False if it is in it.

    Raises Absent, Invalid, or Conflict for a group that is full.
    """

    def unit(connection: Connection) -> bool:
        found, one = require(connection, group, "group"), require(connection, member, None)
        if one.kind == "group":
            raise Invalid(f"{member} is a group, expected a user or a robot")
        if not principals.add_member(connection, found.id, one.id):
            return False
        if len(principals.members_of(connection, found.id)) > MAX_MEMBERS:
            raise Conflict(f"group {group} has {MAX_MEMBERS} members, the most that it may have")
        change = state.begin_change(connection, actor)
        audit.append(connection, change, "group.member.add", "", group, member)
        return True

    return await state.database.write(unit, on=None)


async def remove_member(state: RegistryState, actor: str, group: str, member: str) -> None:
    """Raises Absent, also if it is in no such group."""

    def unit(connection: Connection) -> None:
        found, one = require(connection, group, "group"), require(connection, member, None)
        if not principals.remove_member(connection, found.id, one.id):
            raise Absent(f"{member} is not in group {group}")
        change = state.begin_change(connection, actor)
        audit.append(connection, change, "group.member.remove", "", group, member)

    await state.database.write(unit, on=None)


async def remove(
    state: RegistryState, actor: str, name: str, kind: Kind, check: Check = allow
) -> None:
    """Remove a principal with its grants, tokens and memberships, which end at once.

    Raises Absent, and Conflict for the last owner.
    """

    def unit(connection: Connection) -> None:
        check(connection)
        found = require(connection, name, kind)
        require_no_trust(connection, found)
        principals.remove(connection, found.id)
        if found.is_owner:
            require_owner(connection, name)
        change = state.begin_change(connection, actor)
        audit.append(connection, change, f"{kind}.remove", "", name)

    await state.database.write(unit, on=None)


async def list_principals(
    state: RegistryState, kind: Kind | None, *, last: str | None = None, limit: int | None = None
) -> list[Principal]:
    return await state.database.read(
        lambda connection: principals.names(connection, kind, last=last, limit=limit)
    )


async def show(state: RegistryState, name: str, kind: Kind | None) -> Principal:
    """Raises Absent."""
    return await state.database.read(lambda connection: require(connection, name, kind))


async def members(state: RegistryState, group: str) -> GroupMembers:
    """Raises Absent."""

    def unit(connection: Connection) -> GroupMembers:
        found = require(connection, group, "group")
        return GroupMembers(found, tuple(principals.members_of(connection, found.id)))

    return await state.database.read(unit)


def parse_name(name: str) -> PrincipalName:
    """Raises Invalid."""
    try:
        return PrincipalName.parse(name)
    except ValueError as error:
        raise Invalid(str(error)) from None


async def hash_password(state: RegistryState, password: str) -> str:
    """Raises Invalid."""
    try:
        check_new_password(password)
    except ValueError as error:
        raise Invalid(str(error)) from None
    return await state.identities.passwords.hash(password)


def require(connection: Connection, name: str, kind: Kind | None) -> Principal:
    """The principal of that name and kind; raises Absent."""
    found = principals.find(connection, name)
    if found is None or (found.kind not in principals.KINDS) or kind not in (None, found.kind):
        raise Absent(f"there is no {kind or 'user, robot or group'} {name}")
    return found


def require_grantee(connection: Connection, name: str) -> Principal:
    """A principal that may hold a grant: ``everyone`` and ``anonymous`` too."""
    found = principals.find(connection, name)
    if found is None:
        raise Absent(
            f"there is no user, robot or group {name}; {EVERYONE} stands for all who are signed in"
        )
    return found


def require_free(connection: Connection, name: str) -> None:
    found = principals.find(connection, name)
    if found is not None:
        raise Conflict(f"there is a {found.kind} {name} already")


def require_no_trust(connection: Connection, found: Principal) -> None:
    """Raise Conflict for the robot of a trust: it ends with the trust, and has no tokens."""
    if trusts.BY_PRINCIPAL.first(connection, found.id) is not None:
        raise Conflict(
            f"{found.name} is a trust, see `registry trust`: it has no tokens of its own"
        )


def require_owner(connection: Connection, name: str) -> None:
    if principals.count_owners(connection) == 0:
        raise Conflict(f"{name} is the only owner; make another user an owner first")
