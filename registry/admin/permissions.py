"""The commands on grants, locks, and trusts of CI issuers: give, take, list, explain."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import cast, get_args

from oci.reference import RepositoryName
from registry.admin.command import OPERATOR, Document
from registry.admin.identities import parse_grants
from registry.admin.open_registry import OpenRegistry
from registry.auth.globs import Glob
from registry.auth.oidc.trusts import DEFAULT_LIFE_SECONDS
from registry.auth.patterns import Pattern
from registry.auth.roles import NEEDED, Access
from registry.errors import Invalid
from registry.services.identity import grants as granted
from registry.services.identity import locks, trusts
from registry.services.identity.authorization import Authorization
from registry.services.identity.trusts import Issuer, Trust

Documents = AsyncGenerator[Document, None]


async def add_grant(opened: OpenRegistry, who: str, role: str, pattern: str) -> Documents:
    ((parsed, found),) = parse_grants([(role, pattern)])
    before = await granted.add_grant(opened.state, OPERATOR, who, parsed, found)
    was = None if before is None else str(before)
    yield {"who": who, "role": str(parsed), "pattern": str(found), "before": was}


async def remove_grant(opened: OpenRegistry, who: str, pattern: str) -> Documents:
    removed = await granted.remove_grant(opened.state, OPERATOR, who, parse_pattern(pattern))
    yield {"who": who, "role": str(removed), "pattern": pattern}


async def list_grants(opened: OpenRegistry, who: str | None = None) -> Documents:
    for found in await granted.list_grants(opened.state, who):
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
    decision = await granted.explain(
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


async def add_trust(
    opened: OpenRegistry,
    name: str,
    issuer: str,
    kind: str | None = None,
    audience: str = "",
    claims: Sequence[Sequence[str]] = (),
    grants: Sequence[Sequence[str]] = (),
    life_ms: int = DEFAULT_LIFE_SECONDS * 1000,
    private: bool = False,
) -> Documents:
    """Add a trust; each of ``claims`` is a name with its value."""
    parsed = parse_issuer(issuer, kind)
    held = parse_claims(claims)
    if parsed.kind == "gitlab" and "ref" in held:
        # A bare name there: a tag may have that of a branch.
        held.setdefault("ref_type", "branch")
    trust = Trust(name, parsed, audience, held, life_ms // 1000)
    await trusts.add_trust(
        opened.state,
        OPERATOR,
        trust,
        parse_grants(grants),
        own_address=opened.settings.server.external_url,
        is_private=private,
    )
    yield {"name": name, "issuer": parsed.url, "kind": parsed.kind}


async def list_trusts(opened: OpenRegistry) -> Documents:
    for found in await trusts.list_trusts(opened.state):
        stored, trust = found.stored, found.stored.trust
        yield {
            "name": trust.name,
            "issuer": trust.issuer.url,
            "kind": trust.issuer.kind,
            "audience": trust.audience or opened.settings.server.external_url,
            "claims": dict(trust.claims),
            "grants": [[str(each.role), str(each.pattern)] for each in found.grants],
            "life_ms": trust.life_seconds * 1000,
            "is_private": stored.is_private,
            "is_disabled": stored.is_disabled,
            "created_at": stored.created_at,
            "created_by": stored.created_by,
        }


async def remove_trust(opened: OpenRegistry, name: str) -> Documents:
    await trusts.remove_trust(opened.state, OPERATOR, name)
    yield {"name": name}


async def inspect_token(opened: OpenRegistry, token: str) -> Documents:
    """Yield a token's claims, then each trust with its reason; the token is nowhere repeated."""
    own_address = opened.settings.server.external_url
    found = await trusts.inspect(opened.state, token, own_address=own_address)
    yield {"claims": dict(found.claims), "problem": found.problem}
    for name, refusal in found.refusals:
        yield {"trust": name, "accepts": not refusal and not found.problem, "refusal": refusal}


def parse_issuer(text: str, kind: str | None) -> Issuer:
    """Raises Invalid."""
    try:
        return Issuer.parse(text, kind)
    except ValueError as error:
        raise Invalid(str(error)) from None


def parse_claims(given: Sequence[Sequence[str]]) -> dict[str, str]:
    """Claims by name; raises Invalid, as for one that is given twice."""
    found: dict[str, str] = {}
    for pair in given:
        if len(pair) != 2 or not all(isinstance(part, str) for part in pair):
            raise Invalid("a claim is a name with its value")
        name, value = pair
        if found.setdefault(name, value) != value:
            raise Invalid(f"claim {name} is given twice, and is equal to one value only")
    return found
