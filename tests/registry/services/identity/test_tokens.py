"""Tokens: shown once, bounded in number and life, gone at once when they are revoked."""

import pytest

from registry.auth.decision import Narrowing
from registry.auth.patterns import Pattern
from registry.auth.roles import Role
from registry.auth.secrets import parse_token
from registry.errors import Absent, Conflict, Invalid
from registry.services.identity import grants, principals, tokens
from registry.services.identity.tokens import MAX_EXPIRED
from tests.support.registry.identity_services import IdentityServices

YEARS_10 = 10 * 365 * 86_400_000


async def test_a_robot_is_made_with_its_grants_and_its_first_token(
    identified: IdentityServices,
) -> None:
    minted = await tokens.add_robot(
        identified.state, "op", "ci", [(Role.PULL, Pattern("*"))], life_ms=1000
    )

    [found] = await tokens.list_tokens(identified.state, "ci")
    [grant] = await grants.list_grants(identified.state, "ci")
    assert parse_token(minted.secret.text) == minted.secret
    assert (minted.principal, minted.expires_at) == ("ci", identified.clock.wall_ms() + 1000)
    assert (found.id, found.label, found.limits) == (minted.secret.id, "first", None)
    assert found.expires_at == minted.expires_at
    assert (grant.role, grant.pattern) == (Role.PULL, Pattern("*"))
    assert identified.state.identities.exist


@pytest.mark.parametrize("roles", [(Role.PULL, Role.PUSH), (Role.PUSH, Role.PULL)])
async def test_the_highest_role_given_on_a_pattern_counts_in_whichever_order(
    identified: IdentityServices, roles: tuple[Role, ...]
) -> None:
    await identified.robot("ci", *((role, "team/*") for role in roles))

    [found] = await grants.list_grants(identified.state, "ci")
    assert found.role is Role.PUSH
    assert (await identified.audit())[-1] == ("robot.add", "", "ci", "push team/*")


async def test_a_robot_with_too_many_grants_is_not_made(
    identified: IdentityServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "MAX_GRANTS", 1)

    with pytest.raises(Invalid, match="2 grants, expected at most 1"):
        await identified.robot("ci", (Role.PULL, "a"), (Role.PULL, "b"))

    assert await principals.list_principals(identified.state, None) == []


async def test_a_robot_has_at_most_two_tokens_that_are_alive(identified: IdentityServices) -> None:
    first = await identified.robot("ci", life_ms=1000)
    await identified.mint("ci")

    with pytest.raises(Conflict, match="ci has 2 tokens, and may have 2: revoke one"):
        await identified.mint("ci")
    identified.clock.advance(1000)
    third = await identified.mint("ci")
    with pytest.raises(Conflict):
        await identified.mint("ci")
    await tokens.revoke_token(identified.state, "op", third.id)
    await identified.mint("ci")

    assert first.id in {each.id for each in await tokens.list_tokens(identified.state, "ci")}


async def test_a_user_has_a_most_of_tokens_too(
    identified: IdentityServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "MAX_USER_TOKENS", 3)
    await principals.add_user(identified.state, "op", "ada", password=None)
    for _ in range(3):
        await identified.mint("ada")

    with pytest.raises(Conflict, match="ada has 3 tokens"):
        await identified.mint("ada")


@pytest.mark.parametrize("life_ms", [0, -1, YEARS_10 + 1])
async def test_a_life_beyond_the_bounds_is_refused(
    identified: IdentityServices, life_ms: int
) -> None:
    await identified.robot("ci", life_ms=YEARS_10)

    with pytest.raises(Invalid, match="from 1 second to 10 years"):
        await identified.mint("ci", life_ms=life_ms)
    with pytest.raises(Invalid):
        await identified.robot("cd", life_ms=life_ms)

    assert [each.name for each in await principals.list_principals(identified.state, None)] == [
        "ci"
    ]


@pytest.mark.parametrize("label", ["x" * 101, "two\nlines", "\x1b[31m"])
async def test_a_label_that_cannot_be_shown_is_refused(
    identified: IdentityServices, label: str
) -> None:
    await identified.robot("ci")

    with pytest.raises(Invalid, match="label"):
        await tokens.mint_token(
            identified.state, "op", "ci", label=label, limits=None, life_ms=None
        )


async def test_a_token_keeps_its_label_and_its_limits(identified: IdentityServices) -> None:
    await identified.robot("ci")
    limits = (Narrowing(Role.PULL, Pattern("team/*")),)

    minted = await tokens.mint_token(
        identified.state, "op", "ci", label="a host", limits=limits, life_ms=None
    )

    found = {each.id: each for each in await tokens.list_tokens(identified.state, None)}
    assert (found[minted.secret.id].label, found[minted.secret.id].limits) == ("a host", limits)
    assert found[minted.secret.id].expires_at is None


async def test_a_group_and_nobody_have_no_tokens(identified: IdentityServices) -> None:
    await principals.add_group(identified.state, "op", "leads")

    with pytest.raises(Invalid, match="leads is a group"):
        await identified.mint("leads")
    with pytest.raises(Absent, match="there is no user, robot or group nobody"):
        await identified.mint("nobody")
    with pytest.raises(Absent):
        await tokens.list_tokens(identified.state, "nobody")


async def test_a_revoked_token_is_told_and_revoked_once(identified: IdentityServices) -> None:
    secret = await identified.robot("ci")

    revoked = await tokens.revoke_token(identified.state, "op", secret.id)

    assert (revoked.id, revoked.principal) == (secret.id, "ci")
    with pytest.raises(Absent, match=f"there is no token {secret.id}"):
        await tokens.revoke_token(identified.state, "op", secret.id)


async def test_each_change_of_tokens_is_one_row_of_audit_without_the_secret(
    identified: IdentityServices,
) -> None:
    first = await identified.robot("ci", (Role.PULL, "a"), (Role.PUSH, "b/*"))
    second = await identified.mint("ci")
    await tokens.revoke_token(identified.state, "op", second.id)
    await principals.remove(identified.state, "op", "ci", "robot")

    assert await identified.audit() == [
        ("robot.add", "", "ci", "pull a, push b/*"),
        ("token.add", "", "ci", second.id),
        ("token.revoke", "", "ci", second.id),
        ("robot.remove", "", "ci", ""),
    ]
    written = str(await identified.service.rows("SELECT * FROM audit"))
    for secret in (first, second):
        assert secret.text.split("_")[2] not in written
        assert secret.hash not in written
        assert secret.text not in repr(secret)


async def test_expired_tokens_do_not_grow_without_end(identified: IdentityServices) -> None:
    await identified.robot("ci")
    state = identified.state
    minted = []
    for _ in range(MAX_EXPIRED + 3):
        found = await tokens.mint_token(state, "op", "ci", label="", limits=None, life_ms=1000)
        minted.append(found.secret.id)
        identified.clock.advance(2000)

    found_ids = [each.id for each in await tokens.list_tokens(state, "ci")]

    assert found_ids[1:] == minted[-MAX_EXPIRED - 1 :]
