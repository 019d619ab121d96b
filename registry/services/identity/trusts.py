"""Trusts: add, list, remove; and inspect a CI's token against them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from registry.auth.oidc.issuers import Issuer
from registry.auth.oidc.keys import TokenRefused
from registry.auth.oidc.subject_tokens import parse_subject_token
from registry.auth.oidc.times import check_times
from registry.auth.oidc.trusts import MAX_LIFE_SECONDS, MAX_VALUE, Trust, check_claims
from registry.errors import Absent, Conflict, Invalid
from registry.services.context import RegistryState
from registry.services.identity.grants import MAX_GRANTS
from registry.services.identity.principals import parse_name, require_free
from registry.services.identity.tokens import GivenGrants, highest
from registry.storage.database.contract import Connection
from registry.storage.metadata import audit
from registry.storage.metadata.identity import grants, principals, trusts
from registry.storage.metadata.identity.grants import Grant
from registry.storage.metadata.identity.trusts import StoredTrust

__all__ = ["Issuer", "Trust"]

MAX_TRUSTS = 1000


@dataclass(frozen=True, slots=True)
class ListedTrust:
    """A trust with the grants of its principal."""

    stored: StoredTrust
    grants: Sequence[Grant]


@dataclass(frozen=True, slots=True)
class InspectedToken:
    """A token's claims, and each trust with its reason to refuse it: empty where it accepts it.

    ``problem``: the reason that the token counts for none, as that it has expired.  The signature
    is not verified.
    """

    claims: Mapping[str, object]
    problem: str
    refusals: Sequence[tuple[str, str]]


async def add_trust(
    state: RegistryState,
    actor: str,
    trust: Trust,
    given: GivenGrants,
    *,
    own_address: str,
    is_private: bool = False,
) -> None:
    """Add a trust with its principal, a robot that has no token, and its grants.

    Raises Invalid or Conflict.
    """
    name, held = parse_name(trust.name), highest(given)
    _check(trust, own_address)
    if not 0 < len(held) <= MAX_GRANTS:
        raise Invalid(f"{len(held)} grants, expected from 1 to {MAX_GRANTS}")

    def unit(connection: Connection) -> None:
        require_free(connection, trust.name)
        if trusts.count(connection) >= MAX_TRUSTS:
            raise Conflict(f"there are {MAX_TRUSTS} trusts, the most that there may be")
        change = state.begin_change(connection, actor)
        principal = principals.add(connection, change, name, "robot")
        for pattern, role in held.items():
            grants.put(connection, change, principal, role, pattern)
        trusts.add(connection, change, trust, principal, is_private=is_private)
        detail = ", ".join(
            (
                trust.issuer.url,
                *(f"{claim}={value}" for claim, value in trust.claims.items()),
                *(f"{role} {pattern}" for pattern, role in held.items()),
            )
        )
        audit.append(connection, change, "trust.add", "", trust.name, detail)

    await state.database.write(unit, on=None)
    state.identities.exist = True


async def remove_trust(state: RegistryState, actor: str, name: str) -> None:
    """Remove a trust with its principal: access tokens got by it end at once.  Raises Absent."""

    def unit(connection: Connection) -> None:
        found = trusts.find(connection, name)
        if found is None:
            raise Absent(f"there is no trust {name}")
        trusts.remove(connection, name)
        principals.remove(connection, found.principal)
        change = state.begin_change(connection, actor)
        audit.append(connection, change, "trust.remove", "", name)

    await state.database.write(unit, on=None)


async def list_trusts(state: RegistryState) -> list[ListedTrust]:
    """Every trust, by name."""

    def unit(connection: Connection) -> list[ListedTrust]:
        return [
            ListedTrust(each, grants.listed(connection, principal=each.principal))
            for each in trusts.listed(connection)
        ]

    return await state.database.read(unit)


async def inspect(state: RegistryState, text: str, *, own_address: str) -> InspectedToken:
    """The claims of a token, and what each trust says of them.  Raises Invalid for no token."""
    try:
        token = parse_subject_token(text)
    except TokenRefused as refused:
        raise Invalid(str(refused)) from None
    try:
        check_times(token.claims, state.clock.wall_ms() // 1000)
        problem = ""
    except TokenRefused as refused:
        problem = str(refused)
    stored = await state.database.read(trusts.listed)
    refusals = [(each.trust.name, each.refusal(token.claims, own_address)) for each in stored]
    return InspectedToken(token.claims, problem, refusals)


def _check(trust: Trust, own_address: str) -> None:
    """Raise Invalid for a trust that would accept too much, or nothing."""
    try:
        check_claims(trust.issuer, trust.claims)
    except ValueError as error:
        raise Invalid(str(error)) from None
    if not 0 < trust.life_seconds <= MAX_LIFE_SECONDS:
        raise Invalid(f"a trust's tokens live from 1 to {MAX_LIFE_SECONDS} seconds")
    if not trust.audience and not own_address:
        raise Invalid(
            "the audience of tokens is server.external_url, which is empty: set --audience"
        )
    if len(trust.audience) > MAX_VALUE or not trust.audience.isprintable():
        raise Invalid(f"the audience is a text of at most {MAX_VALUE} characters")
