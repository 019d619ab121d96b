"""Trusts: made with a robot that has no token, and gone with it."""

from __future__ import annotations

import pytest

from registry.auth.oidc.issuers import Issuer
from registry.auth.oidc.trusts import Trust
from registry.auth.patterns import Pattern
from registry.auth.roles import Role
from registry.errors import Absent, Conflict, Invalid
from registry.services.identity import principals, tokens, trusts
from tests.support.registry.identity_services import IdentityServices
from tests.support.registry.issuer import OWN, assembled, signed

GIVEN = [(Role.PUSH, Pattern("team/*")), (Role.PULL, Pattern("*"))]
TRUST = Trust("gh-app", Issuer.parse("github"), "", {"repository_id": "812"}, 900)


async def add(identified: IdentityServices, trust: Trust = TRUST, own_address: str = OWN) -> None:
    await trusts.add_trust(identified.state, "op", trust, GIVEN, own_address=own_address)


def changed(**more: object) -> Trust:
    values = {name: getattr(TRUST, name) for name in TRUST.__slots__}
    return Trust(**{**values, **more})


async def test_a_trust_is_added_listed_and_removed(identified: IdentityServices) -> None:
    await add(identified)

    [listed] = await trusts.list_trusts(identified.state)
    assert listed.stored.trust == TRUST
    assert [(each.role, each.pattern) for each in listed.grants] == GIVEN
    assert identified.state.identities.exist
    await trusts.remove_trust(identified.state, "op", "gh-app")
    assert await trusts.list_trusts(identified.state) == []
    with pytest.raises(Absent):
        await principals.show(identified.state, "gh-app", None)
    url = "https://token.actions.githubusercontent.com"
    assert await identified.audit() == [
        ("trust.add", "", "gh-app", f"{url}, repository_id=812, push team/*, pull *"),
        ("trust.remove", "", "gh-app", ""),
    ]


async def test_the_robot_of_a_trust_has_no_token_and_is_not_removed_alone(
    identified: IdentityServices,
) -> None:
    await add(identified)

    with pytest.raises(Conflict, match="is a trust"):
        await tokens.mint_token(
            identified.state, "op", "gh-app", label="", limits=None, life_ms=None
        )
    with pytest.raises(Conflict, match="is a trust"):
        await principals.remove(identified.state, "op", "gh-app", "robot")

    assert len(await trusts.list_trusts(identified.state)) == 1


@pytest.mark.parametrize(
    ("trust", "text"),
    [
        (changed(claims={}), "expected one claim of repository_id"),
        (changed(claims={"ref": "refs/heads/main"}), "expected one claim of repository_id"),
        (changed(life_seconds=0), "live from"),
        (changed(life_seconds=3601), "live from"),
        (changed(name="oidc"), "reserved"),
        (changed(name="A"), "name is"),
        (changed(audience="a" * 501), "audience"),
        (changed(audience="a\n"), "audience"),
    ],
)
async def test_a_trust_that_would_accept_too_much_is_refused(
    identified: IdentityServices, trust: Trust, text: str
) -> None:
    with pytest.raises(Invalid, match=text):
        await add(identified, trust)

    assert await trusts.list_trusts(identified.state) == []


async def test_a_trust_needs_an_audience_and_a_grant(identified: IdentityServices) -> None:
    with pytest.raises(Invalid, match="--audience"):
        await add(identified, own_address="")
    await add(identified, changed(audience="mine"), own_address="")
    with pytest.raises(Invalid, match="0 grants"):
        await trusts.add_trust(identified.state, "op", changed(name="two"), [], own_address=OWN)


async def test_a_name_is_given_once_and_trusts_are_bounded(
    identified: IdentityServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    await identified.robot("ci")
    for name in ("ci", "everyone"):
        with pytest.raises((Conflict, Invalid)):
            await add(identified, changed(name=name))
    await add(identified)
    with pytest.raises(Conflict, match="there is a robot gh-app already"):
        await add(identified)
    monkeypatch.setattr(trusts, "MAX_TRUSTS", 1)
    with pytest.raises(Conflict, match="the most"):
        await add(identified, changed(name="two"))


async def test_removing_an_unknown_trust_is_refused(identified: IdentityServices) -> None:
    await identified.robot("ci")

    with pytest.raises(Absent, match="there is no trust ci"):
        await trusts.remove_trust(identified.state, "op", "ci")


async def test_a_token_is_inspected_against_each_trust(identified: IdentityServices) -> None:
    await add(identified)
    await add(identified, changed(name="other", claims={"repository_owner_id": "1"}))
    now = identified.clock.wall_ms() // 1000
    claims = {"iss": TRUST.issuer.url, "aud": OWN, "repository_id": "812", "iat": now}
    fresh, old = {**claims, "exp": now + 1}, {**claims, "exp": now - 60}

    found = await trusts.inspect(identified.state, signed(fresh), own_address=OWN)
    late = await trusts.inspect(identified.state, signed(old), own_address=OWN)

    assert (found.claims, found.problem) == (fresh, "")
    assert [*found.refusals] == [
        ("gh-app", ""),
        ("other", "repository_owner_id is missing, expected '1'"),
    ]
    assert (late.problem, late.refusals) == ("the token has expired", found.refusals)


async def test_a_token_of_another_form_is_not_inspected(identified: IdentityServices) -> None:
    with pytest.raises(Invalid, match="alg is 'none'"):
        await trusts.inspect(
            identified.state, assembled({"alg": "none", "kid": "a"}, {}), own_address=OWN
        )
