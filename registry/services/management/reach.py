"""Reach: the patterns on the whole of which a caller is an admin; nothing else is theirs to give.

Read in the transaction of the change that it allows (rules AZ-2 and AZ-11).
"""

from __future__ import annotations

from dataclasses import dataclass

from registry.auth.patterns import Pattern
from registry.auth.roles import Role
from registry.errors import Denied
from registry.services.context import RegistryState
from registry.services.identity.identity import Identity
from registry.storage.database.contract import Connection
from registry.storage.metadata.identity import grants, principals


@dataclass(frozen=True, slots=True)
class Reach:
    """An owner's, which is everything, or that of an admin of some patterns."""

    is_owner: bool
    patterns: tuple[Pattern, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not self.is_owner and not self.patterns

    def covers(self, pattern: Pattern) -> bool:
        """Whether every repository of the pattern is within: only then it may be changed."""
        return self.is_owner or any(pattern.is_within(own) for own in self.patterns)

    def touches(self, pattern: Pattern) -> bool:
        """Whether the pattern is within, or has all of a pattern of the caller's: it is seen."""
        return self.covers(pattern) or any(own.is_within(pattern) for own in self.patterns)

    def require(self, pattern: Pattern) -> None:
        """Raises Denied."""
        if not self.covers(pattern):
            own = ", ".join(map(str, self.patterns)) or "nothing"
            raise Denied(f"you are an admin of {own}, expected one of all of {pattern}")


def reach_of(connection: Connection, identity: Identity) -> Reach:
    """The reach of a caller by the rows as they are now."""
    found = principals.find(connection, identity.name)
    if found is None or found.id != identity.principal or found.disabled_at is not None:
        return Reach(is_owner=False)
    if found.is_owner:
        return Reach(is_owner=True)
    held = grants.held_by(connection, identity.principal)
    patterns = {each.pattern.for_user(identity.name) for each in held if each.role == Role.ADMIN}
    return Reach(is_owner=False, patterns=tuple(sorted(patterns)))


async def read_reach(state: RegistryState, identity: Identity) -> Reach:
    return await state.database.read(lambda connection: reach_of(connection, identity))


def check_seen(reach: Reach, patterns: list[Pattern], hidden: Exception) -> None:
    """Raise ``hidden`` unless a pattern may be seen, and Denied unless all may be changed."""
    if reach.is_owner:
        return
    if not any(map(reach.touches, patterns)):
        raise hidden
    for pattern in patterns:
        reach.require(pattern)
