"""Reach: what an admin of a pattern covers and touches, against the names themselves."""

from itertools import product

import pytest

from registry.auth.patterns import Pattern
from registry.auth.roles import Role
from registry.errors import Denied
from registry.services.identity import grants, principals
from registry.services.identity.identity import Identity
from registry.services.management.reach import Reach, read_reach
from tests.support.registry.storage import Service

ACTOR = "operator"
NAMES = ("team", "team/app", "team/app/web", "team/web", "teams/app", "other", "team-2/app")
PATTERNS = (*NAMES, "*", "team/*", "team/app/*", "teams/*", "other/*", "team/app/web/*")


@pytest.mark.parametrize(("own", "asked"), list(product(PATTERNS, PATTERNS)))
def test_a_reach_covers_a_pattern_if_it_has_every_name_of_it(own: str, asked: str) -> None:
    reach = Reach(is_owner=False, patterns=(Pattern.parse(own),))
    mine, theirs = (
        {name for name in (*NAMES, *(f"{each}/deep/er" for each in NAMES))
         if Pattern.parse(text).matches(name)}
        for text in (own, asked)
    )  # fmt: skip

    if reach.covers(Pattern.parse(asked)):
        assert theirs <= mine
    if not theirs <= mine:
        with pytest.raises(Denied, match=r"expected one of all of"):
            reach.require(Pattern.parse(asked))
    if theirs <= mine and theirs:
        assert reach.covers(Pattern.parse(asked))
    if reach.touches(Pattern.parse(asked)):
        assert theirs <= mine or mine <= theirs


def test_an_owner_covers_everything_and_nobody_nothing() -> None:
    everything = [Pattern.parse(text) for text in (*PATTERNS, "{user}/*")]

    assert all(Reach(is_owner=True).covers(each) for each in everything)
    assert not any(Reach(is_owner=False).touches(each) for each in everything)


async def identity(service: Service, name: str) -> Identity:
    found = await principals.show(service.state, name, None)
    return Identity(found.id, found.name)


async def test_only_admin_counts_and_that_of_groups_and_everyone_too(service: Service) -> None:
    state = service.state
    await principals.add_user(state, ACTOR, "ada", password=None)
    await principals.add_group(state, ACTOR, "web")
    await principals.add_member(state, ACTOR, "web", "ada")
    for who, role, pattern in (
        ("ada", Role.MAINTAIN, "*"),
        ("ada", Role.ADMIN, "team/*"),
        ("web", Role.ADMIN, "web/*"),
        ("everyone", Role.ADMIN, "{user}/*"),
    ):
        await grants.add_grant(state, ACTOR, who, role, Pattern.parse(pattern))

    reach = await read_reach(state, await identity(service, "ada"))

    assert not reach.is_owner
    assert [str(each) for each in reach.patterns] == ["ada/*", "team/*", "web/*"]


async def test_a_disabled_removed_or_other_principal_has_none(service: Service) -> None:
    state = service.state
    for name in ("ada", "bob"):
        await principals.add_user(state, ACTOR, name, password=None, is_owner=True)
    ada = await identity(service, "ada")
    assert (await read_reach(state, ada)).is_owner

    await principals.set_flags(state, ACTOR, "ada", is_disabled=True)
    assert (await read_reach(state, ada)).is_empty
    await principals.remove(state, ACTOR, "ada", "user")
    assert (await read_reach(state, ada)).is_empty
    await principals.add_user(state, ACTOR, "ada", password=None, is_owner=True)
    assert (await read_reach(state, ada)).is_empty, "the name is another's now"
