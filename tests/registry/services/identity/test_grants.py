"""Grants: given, replaced, taken; and the explanation that is the decision itself."""

from pathlib import Path

import pytest

from oci.reference import RepositoryName
from registry.auth.globs import Glob
from registry.auth.patterns import Pattern
from registry.auth.roles import NEEDED, Access, Role
from registry.errors import Absent, Conflict
from registry.services.identity import grants, locks, principals
from registry.services.identity.identity import ANONYMOUS
from tests.support.registry.clocks import FakeClock
from tests.support.registry.identity_services import (
    PASSWORD,
    IdentityServices,
    identity_services,
)

NAME = RepositoryName("team/app")


@pytest.fixture(autouse=True)
async def ada(identified: IdentityServices) -> None:
    await principals.add_user(identified.state, "op", "ada", password=PASSWORD)


async def explained(
    identified: IdentityServices, who: str, access: Access = "pull", tag: str | None = None
) -> tuple[bool, str]:
    found = await grants.explain(identified.state, identified.authorization, who, access, NAME, tag)
    return found.is_allowed, found.reason


async def test_a_grant_is_given_replaced_and_taken(identified: IdentityServices) -> None:
    state, pattern = identified.state, Pattern("team/*")

    assert await grants.add_grant(state, "op", "ada", Role.PULL, pattern) is None
    assert await grants.add_grant(state, "op", "ada", Role.PUSH, pattern) is Role.PULL
    [found] = await grants.list_grants(state, "ada")
    assert (found.principal, found.role, found.pattern) == ("ada", Role.PUSH, pattern)
    assert await grants.remove_grant(state, "op", "ada", pattern) is Role.PUSH

    assert await grants.list_grants(state) == []
    with pytest.raises(Absent, match=r"ada has no grant on team/\*"):
        await grants.remove_grant(state, "op", "ada", pattern)


async def test_each_change_is_one_row_of_audit_and_none_is_none(
    identified: IdentityServices,
) -> None:
    for role in (Role.PULL, Role.PULL, Role.PUSH):
        await identified.grant("ada", role, "team/*")
    await grants.remove_grant(identified.state, "op", "ada", Pattern("team/*"))

    assert (await identified.audit())[1:] == [
        ("grant.add", "team/*", "ada", "pull"),
        ("grant.add", "team/*", "ada", "push"),
        ("grant.remove", "team/*", "ada", "push"),
    ]


async def test_everyone_and_anonymous_hold_grants_and_nobody_none(
    identified: IdentityServices,
) -> None:
    for who in ("everyone", "anonymous"):
        await identified.grant(who, Role.PULL, "*")

    assert len(await grants.list_grants(identified.state)) == 2
    for asking in (
        identified.grant("nobody", Role.PULL, "*"),
        grants.remove_grant(identified.state, "op", "nobody", Pattern("*")),
        grants.list_grants(identified.state, "nobody"),
    ):
        with pytest.raises(Absent, match="there is no user, robot or group nobody"):
            await asking


async def test_at_the_most_of_grants_none_is_added_and_each_can_be_replaced(
    identified: IdentityServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grants, "MAX_GRANTS", 2)
    for pattern in ("a", "b"):
        await identified.grant("ada", Role.PULL, pattern)

    with pytest.raises(Conflict, match="ada has 2 grants"):
        await identified.grant("ada", Role.PULL, "c")
    await identified.grant("ada", Role.PUSH, "b")
    await identified.grant("everyone", Role.PULL, "c")

    found = await grants.list_grants(identified.state, "ada")
    assert [(str(each.pattern), each.role) for each in found] == [
        ("a", Role.PULL), ("b", Role.PUSH),
    ]  # fmt: skip


async def test_an_explanation_names_the_grant_and_the_group(identified: IdentityServices) -> None:
    assert await explained(identified, "ada") == (
        False, "ada holds no role, expected pull on team/app",
    )  # fmt: skip
    await principals.add_group(identified.state, "op", "leads")
    await principals.add_member(identified.state, "op", "leads", "ada")
    await identified.grant("ada", Role.PULL, "*")
    await identified.grant("leads", Role.PUSH, "team/*")
    ids = {each.principal: each.id for each in await grants.list_grants(identified.state)}

    assert await explained(identified, "ada", "push") == (
        True, f"ada holds push on team/* (grant {ids['leads']}, as leads)",
    )  # fmt: skip
    await principals.remove_member(identified.state, "op", "leads", "ada")
    assert await explained(identified, "ada") == (True, f"ada holds pull on * (grant {ids['ada']})")


async def test_a_role_by_the_settings_is_explained_by_them(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with identity_services(tmp_path / "other", clock, everyone=Role.PULL) as identified:
        await identified.robot("ada", (Role.PUSH, "*"))

        assert await explained(identified, "anonymous") == (
            True, "anonymous holds pull by access.anonymous, as anyone",
        )  # fmt: skip
        assert (await explained(identified, "ada"))[1].startswith("ada holds push on * (grant")


async def test_an_explanation_has_the_tag_and_its_lock(identified: IdentityServices) -> None:
    await identified.grant("ada", Role.PUSH, "*")
    await locks.put_lock(identified.state, "op", "releases", Pattern("*"), Glob("v*"))

    assert await explained(identified, "ada", "push", "v1") == (True, "tag v1 does not exist yet")


@pytest.mark.parametrize("state", ["none", "granted", "owner", "auditor", "disabled"])
async def test_an_explanation_is_the_decision(identified: IdentityServices, state: str) -> None:
    if state == "granted":
        await identified.grant("everyone", Role.PUSH, "team/*")
        await identified.grant("anonymous", Role.PULL, "team/app")
    await principals.set_flags(
        identified.state, "op", "ada", is_owner=state == "owner", is_auditor=state == "auditor"
    )
    ada = await identified.by_password("ada")
    await principals.add_user(identified.state, "op", "eve", password=None, is_owner=True)
    if state == "disabled":
        await principals.set_flags(identified.state, "op", "ada", is_disabled=True)

    for access in NEEDED:
        for who, caller in (("ada", ada), ("anonymous", ANONYMOUS)):
            is_allowed, _ = await explained(identified, who, access)
            assert is_allowed == await identified.may(caller, access), (who, access)
