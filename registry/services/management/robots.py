"""Robots: they belong to the patterns of their grants, and are managed by who is admin of all."""

from __future__ import annotations

from dataclasses import dataclass

from registry.auth.patterns import Pattern
from registry.auth.roles import Role
from registry.errors import Absent, Conflict, Denied, Invalid
from registry.services.context import RegistryState
from registry.services.identity.grants import MAX_GRANTS
from registry.services.identity.identity import Identity
from registry.services.identity.principals import (
    Check,
    Principal,
    parse_name,
    remove,
    require,
)
from registry.services.identity.tokens import GivenGrants, highest
from registry.services.management.accounts import check_token
from registry.services.management.conditions import ANY, Conditions, Written, revision_of
from registry.services.management.reach import Reach, check_seen, reach_of
from registry.storage.database.contract import Connection
from registry.storage.metadata import audit
from registry.storage.metadata.audit import Change
from registry.storage.metadata.identity import grants, principals
from registry.storage.metadata.identity.grants import Grant

_ROWS_PER_READ = 200


@dataclass(frozen=True, slots=True)
class Robot:
    """A robot with the grants of its own, and with those of its groups."""

    principal: Principal
    grants: tuple[Grant, ...]
    inherited: tuple[Grant, ...]

    @property
    def patterns(self) -> list[Pattern]:
        """All that it holds a role on, not counting the roles of everyone."""
        return [each.pattern for each in (*self.grants, *self.inherited)]

    @property
    def revision(self) -> str:
        return revision_of(
            self.principal.version, (f"{each.role} {each.pattern}" for each in self.grants)
        )

    def shown_to(self, reach: Reach) -> Robot:
        """The robot with those of its grants that a caller may see."""
        shown = tuple(each for each in self.grants if reach.touches(each.pattern))
        return Robot(self.principal, shown, ())


def robot_of(connection: Connection, principal: Principal) -> Robot:
    held = grants.held_by(connection, principal.id)
    return Robot(
        principal,
        tuple(each for each in held if each.principal == principal.name),
        tuple(each for each in held if each.kind == "group"),
    )


def seen_robot(connection: Connection, identity: Identity, name: str) -> Robot:
    """A robot as its caller may see it; raises Absent."""
    reach, found = reach_of(connection, identity), robot_of(connection, _find(connection, name))
    if not reach.is_owner and not any(map(reach.touches, found.patterns)):
        raise _absent(name)
    return found.shown_to(reach)


def check_managed(connection: Connection, identity: Identity, name: str) -> Robot:
    """The robot, if its caller may change it; raises Absent or Denied."""
    found = robot_of(connection, _find(connection, name))
    check_seen(reach_of(connection, identity), found.patterns, _absent(name))
    if name == identity.name:
        raise Denied(f"{name} is you: a robot is managed by others, who are admins of its patterns")
    return found


def managing(identity: Identity, name: str, *, token: str | None = None) -> Check:
    """The check that a caller may change a robot, and that a token is the robot's."""

    def check(connection: Connection) -> None:
        check_managed(connection, identity, name)
        if token is not None:
            check_token(connection, name, token)

    return check


async def show_robot(state: RegistryState, identity: Identity, name: str) -> Robot:
    """Raises Absent."""
    return await state.database.read(lambda connection: seen_robot(connection, identity, name))


async def list_robots(
    state: RegistryState, identity: Identity, *, last: str | None, limit: int
) -> list[Robot]:
    """The robots that a caller may see, after ``last`` in byte order."""

    def unit(connection: Connection) -> list[Robot]:
        reach, after = reach_of(connection, identity), last
        found: list[Robot] = []
        while len(found) < limit:
            rows = principals.names(connection, "robot", last=after, limit=_ROWS_PER_READ)
            for row in rows:
                robot = robot_of(connection, row)
                if reach.is_owner or any(map(reach.touches, robot.patterns)):
                    found.append(robot.shown_to(reach))
            if len(rows) < _ROWS_PER_READ:
                break
            after = rows[-1].name
        return found[:limit]

    return await state.database.read(unit)


async def put_robot(
    state: RegistryState,
    identity: Identity,
    name: str,
    given: GivenGrants,
    *,
    is_disabled: bool,
    conditions: Conditions = ANY,
) -> Written[Robot]:
    """Add a robot without a token, or replace its grants.

    Raises Invalid, Denied, ConditionFailed, or Conflict for a name that is taken.
    """
    checked, held = parse_name(name), highest(given)
    if len(held) > MAX_GRANTS:
        raise Invalid(f"{len(held)} grants, expected at most {MAX_GRANTS}")

    def unit(connection: Connection) -> Written[Robot]:
        _require_given(reach_of(connection, identity), held)
        found = principals.find(connection, name)
        robot = None if found is None else _require_own(connection, identity, found)
        conditions.check(None if robot is None else robot.revision)
        change = state.begin_change(connection, identity.name)
        if robot is None:
            principals.add(connection, change, checked, "robot")
            audit.append(connection, change, "robot.add", "", name)
        now = robot_of(connection, require(connection, name, "robot"))
        _replace_grants(connection, change, now, held)
        if is_disabled != (now.principal.disabled_at is not None):
            disabled_at = change.at if is_disabled else None
            principals.change_row(connection, now.principal.id, disabled_at=disabled_at)
            detail = f"disabled_at={disabled_at}"
            audit.append(connection, change, "robot.change", "", name, detail)
        written = robot_of(connection, require(connection, name, "robot"))
        return Written(written, robot is None)

    written = await state.database.write(unit, on=None)
    state.identities.exist = True
    return written


async def require_managed(state: RegistryState, identity: Identity, name: str) -> Robot:
    """``check_managed``, to read something of the robot."""
    return await state.database.read(lambda connection: check_managed(connection, identity, name))


async def remove_robot(
    state: RegistryState, identity: Identity, name: str, conditions: Conditions = ANY
) -> None:
    """Raises Absent, Denied or ConditionFailed."""

    def check(connection: Connection) -> None:
        conditions.check(check_managed(connection, identity, name).revision)

    await remove(state, identity.name, name, "robot", check)


def _require_given(reach: Reach, held: dict[Pattern, Role]) -> None:
    if not held and not reach.is_owner:
        raise Denied("a robot without grants is an owner's to make: expected one grant at least")
    for pattern in held:
        reach.require(pattern)


def _require_own(connection: Connection, identity: Identity, found: Principal) -> Robot:
    """The robot that has the name; raises Conflict without telling of a hidden one, or Denied."""
    if found.kind != "robot":
        raise Conflict(f"the name {found.name} is taken")
    try:
        return check_managed(connection, identity, found.name)
    except Absent:
        raise Conflict(f"the name {found.name} is taken") from None


def _replace_grants(
    connection: Connection, change: Change, robot: Robot, held: dict[Pattern, Role]
) -> None:
    id, name = robot.principal.id, robot.principal.name
    for grant in robot.grants:
        if grant.pattern not in held:
            grants.remove(connection, id, grant.pattern)
            text = str(grant.pattern)
            audit.append(connection, change, "grant.remove", text, name, str(grant.role))
    for pattern, role in held.items():
        if grants.put(connection, change, id, role, pattern) != role:
            audit.append(connection, change, "grant.add", str(pattern), name, str(role))


def _find(connection: Connection, name: str) -> Principal:
    found = principals.find(connection, name)
    if found is None or found.kind != "robot":
        raise _absent(name)
    return found


def _absent(name: str) -> Absent:
    return Absent(f"there is no robot {name}")
