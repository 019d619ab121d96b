"""Users and groups: each change is one transaction, with one row of audit without a secret."""

from collections.abc import Coroutine
from typing import Any

import pytest

from registry.auth.htpasswd import HtpasswdEntry
from registry.auth.roles import Role
from registry.errors import Absent, Conflict, Invalid
from registry.services.identity import grants, principals, tokens
from registry.services.identity.startup import load_identities
from tests.support.registry.identity_services import ANOTHER, PASSWORD, IdentityServices
from tests.support.registry.storage import Service


async def users(service: Service) -> list[str]:
    return [each.name for each in await principals.list_principals(service.state, "user")]


async def audit(service: Service) -> list[tuple[Any, ...]]:
    return await service.rows("SELECT identity, action, target, detail FROM audit ORDER BY id")


async def add(service: Service, name: str, **more: Any) -> None:
    await principals.add_user(service.state, "op", name, password=None, **more)


async def test_a_user_is_added_with_a_hash_and_shown(service: Service) -> None:
    state = service.state
    assert not state.identities.exist

    await principals.add_user(state, "op", "ada", password=PASSWORD, is_auditor=True)

    found = await principals.show(state, "ada", "user")
    assert (found.name, found.kind, found.is_owner, found.is_auditor) == (
        "ada", "user", False, True,
    )  # fmt: skip
    assert found.password is not None
    assert found.password.startswith("$argon2id$")
    assert state.identities.exist


async def test_at_the_start_anybody_who_can_sign_in_is_found(service: Service) -> None:
    state = service.state
    await principals.add_group(state, "op", "leads")
    await load_identities(state)
    assert not state.identities.exist

    await tokens.add_robot(state, "op", "ci", [], life_ms=None)
    state.identities.exist = False
    await load_identities(state)

    assert state.identities.exist


async def test_a_name_is_free_over_all_kinds(service: Service) -> None:
    await add(service, "ada")
    await principals.add_group(service.state, "op", "leads")
    await tokens.add_robot(service.state, "op", "ci", [], life_ms=None)

    for name, kind in (("ada", "user"), ("leads", "group"), ("ci", "robot")):
        for adding in (
            add(service, name),
            principals.add_group(service.state, "op", name),
            tokens.add_robot(service.state, "op", name, [], life_ms=None),
        ):
            with pytest.raises(Conflict, match=f"there is a {kind} {name} already"):
                await adding

    assert len(await principals.list_principals(service.state, None)) == 3


@pytest.mark.parametrize("name", ["everyone", "anonymous", "operator", "oidc", "Ada", "a/b", ""])
async def test_reserved_and_malformed_names_are_refused(service: Service, name: str) -> None:
    for adding in (
        add(service, name),
        principals.add_group(service.state, "op", name),
        tokens.add_robot(service.state, "op", name, [], life_ms=None),
    ):
        with pytest.raises(Invalid, match="name"):
            await adding

    assert await audit(service) == []


@pytest.mark.parametrize("name", ["everyone", "anonymous"])
async def test_the_callers_of_every_registry_are_neither_changed_nor_removed(
    service: Service, name: str
) -> None:
    state = service.state
    await principals.add_group(state, "op", "leads")

    for changing in (
        principals.set_flags(state, "op", name, is_owner=True),
        principals.set_password(state, "op", name, PASSWORD),
        principals.remove(state, "op", name, "user"),
        principals.remove(state, "op", name, "group"),
        principals.add_member(state, "op", "leads", name),
        tokens.mint_token(state, "op", name, label="", limits=None, life_ms=None),
    ):
        with pytest.raises(Absent):
            await changing


@pytest.mark.parametrize(
    "password", ["short", "aaaaaaaaaaaaaaaa", "with a\nline break", "x" * 2000]
)
async def test_a_bad_password_is_refused_and_not_repeated(service: Service, password: str) -> None:
    await add(service, "ada")

    for changing in (
        principals.add_user(service.state, "op", "bob", password=password),
        principals.set_password(service.state, "op", "ada", password),
    ):
        with pytest.raises(Invalid) as caught:
            await changing
        assert password not in str(caught.value)

    assert await users(service) == ["ada"]


async def test_the_first_owner_is_added_once(service: Service) -> None:
    await add(service, "bob")
    await add(service, "ada", is_owner=True, is_first=True)

    with pytest.raises(Conflict, match="this registry is set up"):
        await add(service, "eve", is_owner=True, is_first=True)

    assert await users(service) == ["ada", "bob"]


OWNER_CHANGES = {
    "removed": lambda state: principals.remove(state, "op", "ada", "user"),
    "disabled": lambda state: principals.set_flags(state, "op", "ada", is_disabled=True),
    "demoted": lambda state: principals.set_flags(state, "op", "ada", is_owner=False),
}


@pytest.mark.parametrize("change", OWNER_CHANGES)
async def test_the_last_owner_is_neither_removed_nor_disabled_nor_demoted(
    service: Service, change: str
) -> None:
    await add(service, "ada", is_owner=True)
    await add(service, "bob", is_owner=True)
    await principals.set_flags(service.state, "op", "bob", is_disabled=True)
    before, row = await audit(service), await principals.show(service.state, "ada", "user")

    with pytest.raises(Conflict, match="ada is the only owner"):
        await OWNER_CHANGES[change](service.state)

    assert await principals.show(service.state, "ada", "user") == row
    assert await audit(service) == before


@pytest.mark.parametrize("change", OWNER_CHANGES)
async def test_one_of_two_owners_can_go(service: Service, change: str) -> None:
    await add(service, "ada", is_owner=True)
    await add(service, "bob", is_owner=True)

    await OWNER_CHANGES[change](service.state)

    assert (await principals.show(service.state, "bob", "user")).is_owner


async def test_the_last_owner_can_be_made_an_auditor_and_get_a_password(service: Service) -> None:
    await add(service, "ada", is_owner=True)

    await principals.set_flags(service.state, "op", "ada", is_auditor=True)
    await principals.set_password(service.state, "op", "ada", ANOTHER)

    found = await principals.show(service.state, "ada", "user")
    assert (found.is_owner, found.is_auditor, found.version) == (True, True, 3)


async def test_robots_and_groups_are_neither_owners_nor_auditors(service: Service) -> None:
    state = service.state
    await tokens.add_robot(state, "op", "ci", [], life_ms=None)
    await principals.add_group(state, "op", "leads")

    for name in ("ci", "leads"):
        for flag in ("is_owner", "is_auditor"):
            with pytest.raises(Invalid, match="expected a user"):
                await principals.set_flags(state, "op", name, **{flag: True})
    with pytest.raises(Invalid):
        await principals.set_flags(state, "op", "leads", is_disabled=True)
    with pytest.raises(Absent, match="there is no user ci"):
        await principals.set_password(state, "op", "ci", PASSWORD)


async def test_a_change_that_changes_nothing_is_not_written(service: Service) -> None:
    await add(service, "ada")
    before = await audit(service)

    await principals.set_flags(service.state, "op", "ada", is_disabled=False, is_owner=False)

    assert (await principals.show(service.state, "ada", "user")).version == 1
    assert await audit(service) == before


async def test_a_principal_of_another_kind_is_absent(service: Service) -> None:
    await add(service, "ada")

    for kind in ("robot", "group"):
        with pytest.raises(Absent, match=f"there is no {kind} ada"):
            await principals.remove(service.state, "op", "ada", kind)
    with pytest.raises(Absent, match="there is no user, robot or group bob"):
        await principals.show(service.state, "bob", None)


async def test_a_removed_principal_leaves_no_row_and_its_id_to_nobody(
    identified: IdentityServices,
) -> None:
    state = identified.state
    await principals.add_group(state, "op", "leads")
    seen = set()
    for _ in range(3):
        await identified.robot("ci", (Role.PULL, "*"))
        await principals.add_member(state, "op", "leads", "ci")
        found = await principals.show(state, "ci", "robot")
        assert found.id not in seen
        seen.add(found.id)

        await principals.remove(state, "op", "ci", "robot")

        for table, column in (
            ("grants", "principal_id"), ("tokens", "principal_id"), ("members", "member_id")
        ):  # fmt: skip
            query = f"SELECT count(*) FROM {table} WHERE {column} = :id"  # noqa: S608
            assert await identified.service.rows(query, id=found.id) == [(0,)]


async def test_members_join_and_leave_a_group(service: Service) -> None:
    state = service.state
    await principals.add_group(state, "op", "leads")
    await principals.add_group(state, "op", "others")
    await add(service, "ada")

    assert await principals.add_member(state, "op", "leads", "ada")
    assert not await principals.add_member(state, "op", "leads", "ada")
    assert (await principals.members(state, "leads")).members == ("ada",)
    with pytest.raises(Invalid, match="others is a group"):
        await principals.add_member(state, "op", "leads", "others")
    with pytest.raises(Absent, match="there is no group ada"):
        await principals.add_member(state, "op", "ada", "ada")
    await principals.remove_member(state, "op", "leads", "ada")

    assert (await principals.members(state, "leads")).members == ()
    with pytest.raises(Absent, match="ada is not in group leads"):
        await principals.remove_member(state, "op", "leads", "ada")


async def test_a_group_has_a_most_of_members(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(principals, "MAX_MEMBERS", 1)
    await principals.add_group(service.state, "op", "leads")
    for name in ("ada", "bob"):
        await add(service, name)
    await principals.add_member(service.state, "op", "leads", "ada")

    with pytest.raises(Conflict, match="group leads has 1 members"):
        await principals.add_member(service.state, "op", "leads", "bob")
    assert not await principals.add_member(service.state, "op", "leads", "ada")


async def test_each_change_writes_one_row_of_audit_without_a_secret(
    identified: IdentityServices,
) -> None:
    state = identified.state
    changes: list[tuple[Coroutine[Any, Any, Any], tuple[str, str, str]]] = [
        (principals.add_user(state, "op", "ada", password=PASSWORD, is_owner=True),
         ("user.add", "ada", "owner")),
        (principals.add_user(state, "op", "bob", password=None), ("user.add", "bob", "")),
        (principals.set_password(state, "op", "ada", ANOTHER), ("user.password", "ada", "")),
        (principals.set_flags(state, "op", "bob", is_auditor=True),
         ("user.change", "bob", "is_auditor=1")),
        (principals.add_group(state, "op", "leads"), ("group.add", "leads", "")),
        (principals.add_member(state, "op", "leads", "bob"), ("group.member.add", "leads", "bob")),
        (principals.remove_member(state, "op", "leads", "bob"),
         ("group.member.remove", "leads", "bob")),
        (principals.remove(state, "op", "leads", "group"), ("group.remove", "leads", "")),
        (principals.remove(state, "op", "bob", "user"), ("user.remove", "bob", "")),
    ]  # fmt: skip

    for number, (change, expected) in enumerate(changes, start=1):
        await change
        rows = await audit(identified.service)
        assert len(rows) == number
        assert rows[-1] == ("op", *expected)

    written = str(await identified.service.rows("SELECT * FROM audit"))
    row = await principals.show(state, "ada", "user")
    assert not any(secret in written for secret in (PASSWORD, ANOTHER, str(row.password)))


async def test_the_grants_of_a_removed_group_end_with_it(identified: IdentityServices) -> None:
    await principals.add_group(identified.state, "op", "leads")
    await identified.grant("leads", Role.PULL, "*")

    await principals.remove(identified.state, "op", "leads", "group")

    assert await grants.list_grants(identified.state) == []


async def test_users_are_imported_all_or_none(service: Service) -> None:
    found = "$2y$05$" + "a" * 53
    await principals.add_user(service.state, "op", "ada", password=None)

    with pytest.raises(Conflict, match="there is a user ada already"):
        await principals.import_users(
            service.state, "op", [HtpasswdEntry("bob", found), HtpasswdEntry("ada", found)]
        )
    with pytest.raises(Invalid, match="the password of bob is no bcrypt hash"):
        await principals.import_users(service.state, "op", [HtpasswdEntry("bob", "plain")])

    assert [one.name for one in await principals.list_principals(service.state, "user")] == ["ada"]
