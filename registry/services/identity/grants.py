"""Grants: give and take roles, list them, and explain a decision."""

from __future__ import annotations

from dataclasses import replace

from oci.reference import RepositoryName, Tag
from registry.auth.decision import Decision, TagFacts, decide
from registry.auth.patterns import Pattern, matching
from registry.auth.roles import Access, Role
from registry.errors import Absent, Conflict
from registry.services.context import RegistryState
from registry.services.identity.authorization import Authorization
from registry.services.identity.identity import Identity
from registry.services.identity.locks import tag_facts
from registry.services.identity.principals import Check, allow, require_grantee
from registry.storage.database.contract import Connection
from registry.storage.metadata import audit
from registry.storage.metadata.identity import grants
from registry.storage.metadata.identity.grants import Grant

MAX_GRANTS = 10_000


async def add_grant(
    state: RegistryState,
    actor: str,
    name: str,
    role: Role,
    pattern: Pattern,
    check: Check = allow,
) -> Role | None:
    """Give a role on a pattern; returns the role that it replaces.  Raises Absent or Conflict."""

    def unit(connection: Connection) -> Role | None:
        check(connection)
        found = require_grantee(connection, name)
        change = state.begin_change(connection, actor)
        before = grants.put(connection, change, found.id, role, pattern)
        if before is None and grants.count_of(connection, found.id) > MAX_GRANTS:
            raise Conflict(f"{name} has {MAX_GRANTS} grants, the most that it may have")
        if before != role:
            audit.append(connection, change, "grant.add", str(pattern), name, str(role))
        return before

    return await state.database.write(unit, on=None)


async def remove_grant(
    state: RegistryState, actor: str, name: str, pattern: Pattern, check: Check = allow
) -> Role:
    """Take the role on a pattern; returns it.  Raises Absent."""

    def unit(connection: Connection) -> Role:
        check(connection)
        found = require_grantee(connection, name)
        removed = grants.remove(connection, found.id, pattern)
        if removed is None:
            raise Absent(f"{name} has no grant on {pattern}")
        change = state.begin_change(connection, actor)
        audit.append(connection, change, "grant.remove", str(pattern), name, str(removed))
        return removed

    return await state.database.write(unit, on=None)


async def list_grants(
    state: RegistryState,
    name: str | None = None,
    *,
    after: int = 0,
    limit: int | None = None,
) -> list[Grant]:
    """The grants of one principal, or all.  Raises Absent."""

    def unit(connection: Connection) -> list[Grant]:
        principal = None if name is None else require_grantee(connection, name).id
        return grants.listed(connection, principal=principal, after=after, limit=limit)

    return await state.database.read(unit)


async def explain(
    state: RegistryState,
    authorization: Authorization,
    name: str,
    access: Access,
    repository: RepositoryName,
    tag: str | None = None,
    *,
    caller: Identity | None = None,
) -> Decision:
    """The steps of a decision for a principal, with the grant and the lock that decide.

    ``caller``: the principal itself, whose token's limits count.  Raises Absent.
    """

    def unit(connection: Connection) -> tuple[int, list[Grant], TagFacts | None]:
        found = require_grantee(connection, name)
        facts = None if tag is None else tag_facts(connection, repository, Tag.parse(tag))
        return found.id, grants.held_by(connection, found.id), facts

    principal, held, facts = await state.database.read(unit)
    identity = caller or Identity(principal, name)
    standing = await authorization.standing(identity, str(repository))
    patterns = set(matching(str(repository), name))
    best = max(
        (grant for grant in held if str(grant.pattern) in patterns),
        key=lambda grant: grant.role,
        default=None,
    )
    if best is not None and best.role == standing.role:
        whose = "" if best.principal == name else f", as {best.principal}"
        standing = replace(standing, holder=f" on {best.pattern} (grant {best.id}{whose})")
    elif standing.role is not None:
        standing = replace(standing, holder=" by access.anonymous, as anyone")
    return decide(standing, access, str(repository), None, facts)
