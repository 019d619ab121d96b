"""Authorization: each decision is of the rows as they are now (rules AZ-1, AZ-8, AZ-10)."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, delete

from oci.reference import RepositoryName
from registry.auth.decision import Standing
from registry.auth.patterns import Pattern
from registry.auth.roles import NEEDED, Access, Role
from registry.auth.scopes import Scope
from registry.services.identity import authorization, grants, principals, tokens
from registry.services.identity.authorization import Authorization
from registry.services.identity.identity import ANONYMOUS, Identity
from registry.storage.metadata.identity.tables import grants as grants_table
from registry.storage.metadata.identity.tables import tokens as tokens_table
from tests.support.registry.clocks import FakeClock
from tests.support.registry.identity_services import (
    ANOTHER,
    PASSWORD,
    IdentityServices,
    identity_services,
)
from tests.support.registry.rows import a_repository

PULL = Scope("repository", "team/app", ("pull",))
PUSH = Scope("repository", "team/app", ("pull", "push"))


async def ada_with(identified: IdentityServices, *given: tuple[Role, str]) -> None:
    await principals.add_user(identified.state, "op", "ada", password=PASSWORD)
    for role, pattern in given:
        await identified.grant("ada", role, pattern)


async def access_token(identified: IdentityServices, identity: Identity, *asked: Scope) -> Identity:
    issued = await identified.tokens.issue(identity, asked, offline=False)
    return await identified.by_bearer(issued.text)


@pytest.mark.parametrize("role", Role)
async def test_a_role_allows_the_accesses_up_to_its_own(
    identified: IdentityServices, role: Role
) -> None:
    secret = await identified.robot("ci", (role, "team/*"))
    robot = await identified.by_token(secret)

    allowed = {access for access in NEEDED if await identified.may(robot, access)}

    assert allowed == {access for access, needed in NEEDED.items() if needed <= role}
    assert not any([await identified.may(robot, access, "other/app") for access in NEEDED])


async def test_anonymous_may_what_anonymous_was_granted(identified: IdentityServices) -> None:
    assert not await identified.may(ANONYMOUS)

    await identified.grant("everyone", Role.ADMIN, "*")
    assert not await identified.may(ANONYMOUS)
    await identified.grant("anonymous", Role.PULL, "team/*")

    assert await identified.may(ANONYMOUS)
    assert not await identified.may(ANONYMOUS, "create")


async def test_a_role_of_everyone_by_the_settings_counts_for_each_caller(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with identity_services(tmp_path / "root", clock, everyone=Role.PULL) as identified:
        robot = await identified.by_token(await identified.robot("ci", (Role.PUSH, "own")))

        assert [await identified.may(each) for each in (ANONYMOUS, robot)] == [True, True]
        assert not await identified.may(robot, "push")
        assert await identified.may(robot, "push", "own")


Revoke = Callable[[IdentityServices, str], Coroutine[Any, Any, object]]

REVOCATIONS: dict[str, Revoke] = {
    "token": lambda made, token: tokens.revoke_token(made.state, "op", token),
    "grant": lambda made, _: grants.remove_grant(made.state, "op", "leads", Pattern("team/*")),
    "membership": lambda made, _: principals.remove_member(made.state, "op", "leads", "ci"),
    "group": lambda made, _: principals.remove(made.state, "op", "leads", "group"),
    "disabled": lambda made, _: principals.set_flags(made.state, "op", "ci", is_disabled=True),
    "removed": lambda made, _: principals.remove(made.state, "op", "ci", "robot"),
}


@pytest.mark.parametrize("by_access_token", [False, True])
@pytest.mark.parametrize("revocation", REVOCATIONS)
async def test_a_revocation_acts_on_the_next_decision(
    identified: IdentityServices, revocation: str, by_access_token: bool
) -> None:
    secret = await identified.robot("ci")
    await principals.add_group(identified.state, "op", "leads")
    await principals.add_member(identified.state, "op", "leads", "ci")
    await identified.grant("leads", Role.PUSH, "team/*")
    robot = await identified.by_token(secret)
    if by_access_token:
        robot = await access_token(identified, robot, PUSH)
    assert await identified.may(robot, "push")

    await REVOCATIONS[revocation](identified, secret.id)

    assert not await identified.may(robot, "push")
    assert not await identified.may(robot, "pull")


async def test_a_removed_user_who_is_added_again_is_another_one(
    identified: IdentityServices,
) -> None:
    await ada_with(identified, (Role.PULL, "*"))
    before = await identified.by_password("ada")
    bearer = await access_token(identified, before, PULL)
    await principals.remove(identified.state, "op", "ada", "user")

    await ada_with(identified, (Role.PULL, "*"))

    assert [await identified.may(each) for each in (before, bearer)] == [False, False]
    assert await identified.may(await identified.by_password("ada"))


async def test_a_narrowed_token_is_for_its_limits_within_the_grants(
    identified: IdentityServices,
) -> None:
    await identified.robot("ci", (Role.PUSH, "team/*"))
    secret = await identified.mint("ci", [(Role.PULL, "*"), (Role.ADMIN, "team/app")])
    robot = await identified.by_token(secret)

    assert await identified.may(robot, "push", "team/app")
    assert not await identified.may(robot, "maintain", "team/app")
    assert await identified.may(robot, "pull", "team/web")
    assert not await identified.may(robot, "push", "team/web")
    assert not await identified.may(robot, "pull", "other/web")


async def test_a_token_for_nothing_allows_nothing(identified: IdentityServices) -> None:
    await identified.robot("ci", (Role.ADMIN, "*"))
    robot = await identified.by_token(await identified.mint("ci", []))

    assert not await identified.may(robot)
    page = await identified.authorization.visible(robot, last=None, n=None)
    assert page.items == ()


async def test_an_owner_may_everything_that_the_limits_of_the_token_leave(
    identified: IdentityServices,
) -> None:
    await ada_with(identified)
    await principals.set_flags(identified.state, "op", "ada", is_owner=True)
    narrow = await identified.by_token(await identified.mint("ada", [(Role.PULL, "{user}/*")]))

    assert await identified.may(await identified.by_password("ada"), "admin")
    assert await identified.may(narrow, "pull", "ada/app")
    assert not await identified.may(narrow, "push", "ada/app")
    assert not await identified.may(narrow, "pull", "team/app")


async def test_an_auditor_sees_and_pulls_no_content(identified: IdentityServices) -> None:
    await ada_with(identified)
    await principals.set_flags(identified.state, "op", "ada", is_auditor=True)
    ada = await identified.by_password("ada")

    assert await identified.may(ada, "see")
    assert not await identified.may(ada, "pull")


async def test_an_access_token_is_for_its_scope_and_no_other_name_or_action(
    identified: IdentityServices,
) -> None:
    await ada_with(identified, (Role.ADMIN, "*"))
    bearer = await access_token(identified, await identified.by_password("ada"), PULL)

    found: dict[Access, bool] = {each: await identified.may(bearer, each) for each in NEEDED}

    assert {each for each, is_allowed in found.items() if is_allowed} == {"see", "pull"}
    assert not await identified.may(bearer, "pull", "team/app2")
    assert (await identified.decide(bearer, "push")).steps[-1].name == "scope"


async def test_an_access_token_expires(identified: IdentityServices) -> None:
    await ada_with(identified, (Role.PULL, "*"))
    began = identified.clock.wall_ms()
    bearer = await access_token(identified, await identified.by_password("ada"), PULL)
    identified.clock.advance(299_999)
    assert await identified.may(bearer)

    identified.clock.advance(1)

    assert (await identified.decide(bearer)).reason == "the access token has expired"
    # An upload that began before goes on.
    assert await identified.may(bearer, at=began)


async def test_an_access_token_ends_with_the_token_that_it_was_got_with(
    identified: IdentityServices,
) -> None:
    secret = await identified.robot("ci", (Role.PULL, "*"), life_ms=10_000)
    began = identified.clock.wall_ms()
    bearer = await access_token(identified, await identified.by_token(secret), PULL)
    identified.clock.advance(9_999)
    assert await identified.may(bearer)

    identified.clock.advance(1)

    assert (await identified.decide(bearer)).reason == "the token has expired"
    assert not await identified.may(bearer, at=began)


async def test_an_access_token_got_with_a_password_ends_when_that_changes(
    identified: IdentityServices,
) -> None:
    await ada_with(identified, (Role.PULL, "*"))
    ada = await identified.by_password("ada")
    bearer = await access_token(identified, ada, PULL)
    by_token = await access_token(
        identified, await identified.by_token(await identified.mint("ada")), PULL
    )
    assert [await identified.may(each) for each in (ada, bearer, by_token)] == [True] * 3

    await principals.set_password(identified.state, "op", "ada", ANOTHER)

    assert [await identified.may(each) for each in (ada, bearer, by_token)] == [False, False, True]
    reason = (await identified.decide(bearer)).reason
    assert reason == "the account has changed since the password was checked"


async def test_a_user_who_was_disabled_meanwhile_signs_in_anew(
    identified: IdentityServices,
) -> None:
    await ada_with(identified, (Role.PULL, "*"))
    bearer = await access_token(identified, await identified.by_password("ada"), PULL)

    for is_disabled in (True, False):
        await principals.set_flags(identified.state, "op", "ada", is_disabled=is_disabled)
        assert not await identified.may(bearer)

    assert await identified.may(await identified.by_password("ada"))


NAMES = sorted({"ada", "ada/app", "bob/app", "team", "team/app", "team/app/x", "team-2/app", "z"})
PATTERNS = [*NAMES, "*", "ada/*", "team/*", "team/app/*", "{user}/*", "{user}", "absent/*"]
PAIRS = st.tuples(st.sampled_from(list(Role)), st.sampled_from(PATTERNS))
WHO = st.sampled_from(["ada", "bob", "leads", "others", "everyone", "anonymous"])


def empty(connection: Connection) -> None:
    for table in (grants_table, tokens_table):
        connection.execute(delete(table))


@settings(max_examples=60)
@given(st.data())
def visible_is_what_may_be_pulled(
    identified: IdentityServices, runner: asyncio.Runner, data: st.DataObject
) -> None:
    given = data.draw(st.lists(st.tuples(WHO, PAIRS), min_size=1, max_size=8))
    limits = data.draw(st.none() | st.lists(PAIRS, max_size=3))
    is_owner, is_anonymous = data.draw(st.booleans()), data.draw(st.booleans())
    n, last = (
        data.draw(st.integers(1, 7)),
        data.draw(st.none() | st.sampled_from([*NAMES, "team/"])),
    )

    async def compare() -> None:
        await principals.set_flags(identified.state, "op", "ada", is_owner=is_owner)
        await identified.state.database.write(empty, on=None)
        for who, (role, pattern) in given:
            await identified.grant(who, role, pattern)
        secret = await identified.mint("ada", limits)
        caller = ANONYMOUS if is_anonymous else await identified.by_token(secret)
        found: list[str] = []
        after = last
        while True:
            page = await identified.authorization.visible(caller, last=after, n=n)
            assert len(page.items) <= n
            found += map(str, page.items)
            if not page.more:
                break
            after = str(page.items[-1])
        expected = [name for name in NAMES if await identified.may(caller, "pull", name)]
        assert found == [name for name in expected if last is None or name > last]

    runner.run(compare())


def test_the_visible_repositories_are_those_that_may_be_pulled(tmp_path: Path) -> None:
    """Rule AZ-8: under random grants and limits, in pages of any size, after any name."""

    async def prepared(stack: AsyncExitStack) -> IdentityServices:
        identified = await stack.enter_async_context(
            identity_services(tmp_path / "root", FakeClock())
        )
        state = identified.state
        for name in ("ada", "bob", "eve"):
            await principals.add_user(state, "op", name, password=None, is_owner=name == "eve")
        for group, member in (("leads", "ada"), ("others", "bob")):
            await principals.add_group(state, "op", group)
            await principals.add_member(state, "op", group, member)

        def unit(connection: Connection) -> None:
            for name in NAMES:
                a_repository(connection, RepositoryName(name))

        await state.database.write(unit, on=None)
        return identified

    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        identified = runner.run(prepared(stack))
        try:
            visible_is_what_may_be_pulled(identified, runner)
        finally:
            runner.run(stack.aclose())


@pytest.mark.parametrize("flag", ["is_owner", "is_auditor"])
async def test_an_owner_and_an_auditor_see_every_name(
    identified: IdentityServices, flag: str
) -> None:
    await principals.add_user(identified.state, "op", "eve", password=PASSWORD, **{flag: True})
    await identified.state.database.write(a_repository, on=None)

    page = await identified.authorization.visible(
        await identified.by_password("eve"), last=None, n=None
    )

    assert [str(name) for name in page.items] == ["team/app"]


async def test_a_token_for_the_users_own_repositories_sees_them_alone(
    identified: IdentityServices,
) -> None:
    await ada_with(identified, (Role.PULL, "*"))

    def unit(connection: Connection) -> None:
        for name in NAMES:
            a_repository(connection, RepositoryName(name))

    await identified.state.database.write(unit, on=None)
    secret = await identified.mint("ada", [(Role.PULL, "{user}/*")])

    for is_owner in (False, True):
        await principals.set_flags(identified.state, "op", "ada", is_owner=is_owner)
        ada = await identified.by_token(secret)
        page = await identified.authorization.visible(ada, last=None, n=None)
        assert [str(name) for name in page.items] == ["ada/app"]


async def test_a_disabled_caller_sees_nothing(identified: IdentityServices) -> None:
    await ada_with(identified, (Role.PULL, "*"))
    ada = await identified.by_password("ada")
    await identified.state.database.write(a_repository, on=None)
    assert (await identified.authorization.visible(ada, last=None, n=None)).items

    await principals.set_flags(identified.state, "op", "ada", is_disabled=True)

    assert not (await identified.authorization.visible(ada, last=None, n=None)).items


async def test_a_decision_is_read_again_after_any_change_and_only_then(
    identified: IdentityServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ada_with(identified, (Role.PULL, "*"))
    bearer = await access_token(identified, await identified.by_password("ada"), PULL)
    reads, standing = 0, Authorization.standing

    async def counted(*given: Any, **more: Any) -> Standing:
        nonlocal reads
        reads += 1
        return await standing(*given, **more)

    monkeypatch.setattr(Authorization, "standing", counted)
    for _ in range(3):
        assert await identified.may(bearer)
    assert reads == 1

    await principals.add_group(identified.state, "op", "web")  # of no concern to ada

    assert await identified.may(bearer)
    assert reads == 2
    assert not await identified.may(bearer, "push")
    assert not await identified.may(bearer, "pull", "team/other")
    assert reads == 4


async def test_decisions_that_are_remembered_are_bounded(
    identified: IdentityServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authorization, "MAX_KNOWN", 2)
    await ada_with(identified, (Role.PULL, "*"))
    scopes = [Scope("repository", f"team/{letter}", ("pull",)) for letter in "abc"]
    bearer = await access_token(identified, await identified.by_password("ada"), *scopes)

    for name in ("team/a", "team/b", "team/c", "team/a"):
        assert await identified.may(bearer, "pull", name)

    assert len(identified.authorization._known._roles) <= 2


async def test_a_role_that_was_read_before_a_change_is_not_remembered_after_it(
    identified: IdentityServices,
) -> None:
    """A database may pause a read: another request sees the change first."""
    await ada_with(identified, (Role.PULL, "*"))
    bearer = await access_token(identified, await identified.by_password("ada"), PULL)
    known = identified.authorization._known
    assert known.find(1, bearer, "pull", "team/app", now=0) is None
    assert known.find(2, bearer, "pull", "team/app", now=0) is None

    known.add(1, bearer, "pull", "team/app", Role.PULL, 10)

    assert known.find(2, bearer, "pull", "team/app", now=0) is None
    known.add(2, bearer, "pull", "team/app", Role.PULL, 10)
    assert known.find(2, bearer, "pull", "team/app", now=0) == Role.PULL
