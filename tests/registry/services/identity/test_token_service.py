"""TokenService: a token for the granted part of what is asked, and a refresh that live rows end."""

import pytest

from registry.auth.access_token import MAX_LENGTH
from registry.auth.roles import Role
from registry.auth.scopes import Scope, format_scopes, parse_scopes
from registry.errors import Unauthorized
from registry.services.identity import principals, tokens
from registry.services.identity.identity import ANONYMOUS, Identity
from tests.support.registry.identity_services import ANOTHER, PASSWORD, IdentityServices

DAY_MS = 86_400_000


async def granted(identified: IdentityServices, identity: Identity, asked: str) -> str:
    issued = await identified.tokens.issue(identity, parse_scopes([asked]), offline=False)
    bearer = await identified.by_bearer(issued.text)
    assert bearer.access_token is not None
    assert bearer.access_token.scopes == issued.scopes
    return format_scopes(issued.scopes)


async def refresh_token(identified: IdentityServices, identity: Identity) -> str:
    issued = await identified.tokens.issue(identity, (), offline=True)
    assert issued.refresh is not None
    return issued.refresh


@pytest.mark.parametrize(
    ("role", "actions"),
    [
        (Role.PULL, "pull"),
        (Role.CREATE, "pull,push"),
        (Role.PUSH, "pull,push"),
        (Role.MAINTAIN, "pull,push,delete"),
        (Role.ADMIN, "pull,push,delete"),
    ],
)
@pytest.mark.parametrize("asked", ["pull,push,delete", "*"])
async def test_the_actions_are_those_that_the_role_allows(
    identified: IdentityServices, role: Role, actions: str, asked: str
) -> None:
    robot = await identified.by_token(await identified.robot("ci", (role, "team/*")))

    found = await granted(identified, robot, f"repository:team/app:{asked}")

    assert found == f"repository:team/app:{actions}"


async def test_no_more_is_granted_than_is_asked_for(identified: IdentityServices) -> None:
    robot = await identified.by_token(await identified.robot("ci", (Role.ADMIN, "team/*")))

    found = await granted(
        identified,
        robot,
        "repository:team/app:pull repository:other/app:pull repository:TEAM/app:pull "
        "registry:catalog:* registry:other:* package:team/app:pull repository:team/x:fly",
    )

    assert found == "repository:team/app:pull registry:catalog:*"


async def test_a_narrowed_token_gets_no_wider_access_token(identified: IdentityServices) -> None:
    await identified.robot("ci", (Role.ADMIN, "*"))
    robot = await identified.by_token(await identified.mint("ci", [(Role.PULL, "team/*")]))

    found = await granted(
        identified, robot, "repository:team/app:pull,push repository:other/app:pull"
    )

    assert found == "repository:team/app:pull"


async def test_an_anonymous_caller_gets_what_anonymous_may_and_no_refresh(
    identified: IdentityServices,
) -> None:
    await identified.grant("anonymous", Role.PULL, "team/*")

    issued = await identified.tokens.issue(
        ANONYMOUS, parse_scopes(["repository:team/app:pull,push"]), offline=True
    )

    assert format_scopes(issued.scopes) == "repository:team/app:pull"
    assert issued.refresh is None


async def test_scopes_that_fit_in_no_header_are_left_out(identified: IdentityServices) -> None:
    robot = await identified.by_token(await identified.robot("ci", (Role.ADMIN, "*")))
    asked = [Scope("repository", f"a{number}/" + "x" * 200, ("pull",)) for number in range(100)]

    issued = await identified.tokens.issue(robot, asked, offline=False)

    assert len(issued.text) <= MAX_LENGTH
    assert 0 < len(issued.scopes) < 100
    assert (await identified.by_bearer(issued.text)).name == "ci"


async def test_a_refresh_gives_the_caller_back_with_the_credential(
    identified: IdentityServices,
) -> None:
    await identified.robot("ci", (Role.ADMIN, "*"))
    robot = await identified.by_token(await identified.mint("ci", [(Role.PULL, "team/*")]))

    again = await identified.tokens.refresh(await refresh_token(identified, robot))

    assert (again.principal, again.name, again.credential) == (
        robot.principal, "ci", robot.credential,
    )  # fmt: skip
    assert await identified.may(again, "pull", "team/app")
    assert not await identified.may(again, "push", "team/app")


async def refused(identified: IdentityServices, text: str) -> str:
    with pytest.raises(Unauthorized) as caught:
        await identified.tokens.refresh(text)
    return str(caught.value)


async def test_a_refresh_token_lasts_ninety_days(identified: IdentityServices) -> None:
    text = await refresh_token(identified, await identified.by_token(await identified.robot("ci")))
    identified.clock.advance(90 * DAY_MS - 1)
    assert (await identified.tokens.refresh(text)).name == "ci"

    identified.clock.advance(1)

    assert "has expired: sign in again" in await refused(identified, text)
    assert "not valid here" in await refused(identified, text[:-1])


CHANGED = "the account has changed since the password was checked"


@pytest.mark.parametrize(
    ("change", "told"),
    [("password", CHANGED), ("disabled", CHANGED), ("removed", "ada is removed")],
)
async def test_a_refresh_token_ends_with_the_password_it_was_got_with(
    identified: IdentityServices, change: str, told: str
) -> None:
    state = identified.state
    await principals.add_user(state, "op", "ada", password=PASSWORD)
    text = await refresh_token(identified, await identified.by_password("ada"))

    if change == "password":
        await principals.set_password(state, "op", "ada", ANOTHER)
    elif change == "disabled":
        await principals.set_flags(state, "op", "ada", is_disabled=True)
    else:
        await principals.remove(state, "op", "ada", "user")
        await principals.add_user(state, "op", "ada", password=PASSWORD)

    assert await refused(identified, text) == told


async def test_a_refresh_token_ends_with_the_token_it_was_got_with(
    identified: IdentityServices,
) -> None:
    secret = await identified.robot("ci", life_ms=DAY_MS)
    text = await refresh_token(identified, await identified.by_token(secret))
    other = await refresh_token(identified, await identified.by_token(await identified.mint("ci")))

    await tokens.revoke_token(identified.state, "op", secret.id)

    assert await refused(identified, text) == "the token is revoked"
    assert (await identified.tokens.refresh(other)).name == "ci"
