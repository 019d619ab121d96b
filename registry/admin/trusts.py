"""The commands on trusts: add, list, remove, and inspect a CI's token."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from registry.admin.command import OPERATOR, Document
from registry.admin.identities import parse_grants
from registry.admin.open_registry import OpenRegistry
from registry.auth.trusts import DEFAULT_LIFE_SECONDS
from registry.errors import Invalid
from registry.services.identity import trusts
from registry.services.identity.trusts import Issuer, Trust

Documents = AsyncGenerator[Document, None]


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


async def inspect(opened: OpenRegistry, token: str) -> Documents:
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
