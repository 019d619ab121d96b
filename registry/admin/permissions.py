"""The commands on grants and locks: give, take, list, explain."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import cast, get_args

from oci.reference import RepositoryName
from registry.admin.command import OPERATOR, Document
from registry.admin.identities import parse_grants
from registry.admin.open_registry import OpenRegistry
from registry.auth.globs import Glob
from registry.auth.patterns import Pattern
from registry.auth.roles import NEEDED, Access
from registry.errors import Invalid
from registry.services.identity import grants, locks
from registry.services.identity.authorization import Authorization

Documents = AsyncGenerator[Document, None]


async def add_grant(opened: OpenRegistry, who: str, role: str, pattern: str) -> Documents:
    ((parsed, found),) = parse_grants([(role, pattern)])
    before = await grants.add_grant(opened.state, OPERATOR, who, parsed, found)
    was = None if before is None else str(before)
    yield {"who": who, "role": str(parsed), "pattern": str(found), "before": was}


async def remove_grant(opened: OpenRegistry, who: str, pattern: str) -> Documents:
    removed = await grants.remove_grant(opened.state, OPERATOR, who, parse_pattern(pattern))
    yield {"who": who, "role": str(removed), "pattern": pattern}


async def list_grants(opened: OpenRegistry, who: str | None = None) -> Documents:
    for found in await grants.list_grants(opened.state, who):
        yield {
            "id": found.id,
            "who": found.principal,
            "kind": found.kind,
            "role": str(found.role),
            "pattern": str(found.pattern),
            "created_at": found.created_at,
            "created_by": found.created_by,
        }


async def explain(
    opened: OpenRegistry, who: str, action: str, name: str, tag: str | None = None
) -> Documents:
    """Yield the steps of a decision; the last one decides."""
    if action not in NEEDED:
        known = ", ".join(each for each in get_args(Access) if each in NEEDED)
        raise Invalid(f"action is {action!r}, expected one of {known}")
    state, repository = opened.state, RepositoryName.parse(name)
    authorization = Authorization(state.database, state.clock, state.identities.everyone)
    decision = await grants.explain(
        state, authorization, who, cast(Access, action), repository, tag
    )
    for step in decision.steps:
        yield {"step": step.name, "passed": step.is_passed, "text": step.text}


async def add_lock(opened: OpenRegistry, name: str, repository: str, tags: str) -> Documents:
    try:
        glob = Glob.parse(tags)
    except ValueError as error:
        raise Invalid(str(error)) from None
    pattern = parse_pattern(repository)
    is_new = await locks.put_lock(opened.state, OPERATOR, name, pattern, glob)
    yield {"name": name, "repository": repository, "tags": tags, "is_new": is_new}


async def remove_lock(opened: OpenRegistry, name: str) -> Documents:
    await locks.remove_lock(opened.state, OPERATOR, name)
    yield {"name": name}


async def list_locks(opened: OpenRegistry) -> Documents:
    for found in await locks.list_locks(opened.state):
        yield {
            "name": found.name,
            "repository": str(found.pattern),
            "tags": str(found.tags),
            "created_at": found.created_at,
            "created_by": found.created_by,
        }


def parse_pattern(text: str) -> Pattern:
    """Raises Invalid."""
    try:
        return Pattern.parse(text)
    except ValueError as error:
        raise Invalid(str(error)) from None
