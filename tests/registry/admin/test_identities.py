"""The commands on users, groups, robots and tokens."""

from typing import Any

import pytest

from registry.admin.open_registry import OpenRegistry
from registry.auth.secrets import parse_token
from registry.errors import Absent, CommandRefused, Conflict, Invalid
from tests.registry.admin.conftest import told

PASSWORD = "correct horse battery"  # noqa: S105


async def test_the_first_owner_is_set_up_once(opened: OpenRegistry) -> None:
    assert await told(opened, "setup", name="ada", password=PASSWORD) == [
        {"name": "ada", "kind": "user"}
    ]

    with pytest.raises(Conflict, match="this registry is set up"):
        await told(opened, "setup", name="eve", password=PASSWORD)

    [ada] = await told(opened, "user list")
    assert (ada["name"], ada["is_owner"], ada["has_password"]) == ("ada", True, True)


async def test_a_user_is_added_changed_and_removed(opened: OpenRegistry) -> None:
    await told(opened, "user add", name="ada", owner=True)
    await told(opened, "user add", name="bob", auditor=True)

    [changed] = await told(opened, "user change", name="bob", disabled=True, auditor=False)
    await told(opened, "user password", name="bob", password=PASSWORD)

    assert changed["disabled_at"] is not None
    assert (changed["is_owner"], changed["is_auditor"]) == (False, False)
    ada, bob = await told(opened, "user list")
    assert (ada["has_password"], bob["has_password"]) == (False, True)
    assert await told(opened, "user remove", name="bob") == [{"name": "bob"}]
    with pytest.raises(Conflict, match="ada is the only owner"):
        await told(opened, "user remove", name="ada")


async def test_no_document_has_a_password_or_a_hash(opened: OpenRegistry) -> None:
    documents = await told(opened, "user add", name="ada", password=PASSWORD)
    robot = await told(opened, "robot add", name="ci")
    for command in ("user list", "robot list", "token list", "group list"):
        documents += await told(opened, command)

    written = str(documents)
    assert not any(secret in written for secret in (PASSWORD, "argon2", robot[0]["secret"]))


async def test_a_group_is_listed_with_its_members(opened: OpenRegistry) -> None:
    await told(opened, "user add", name="ada")
    await told(opened, "group add", name="leads")

    [first] = await told(opened, "group member add", name="leads", member="ada")
    [again] = await told(opened, "group member add", name="leads", member="ada")

    assert (first["is_new"], again["is_new"]) == (True, False)
    [group] = await told(opened, "group list")
    assert (group["name"], group["members"]) == ("leads", ["ada"])
    await told(opened, "group member remove", name="leads", member="ada")
    [group] = await told(opened, "group list")
    assert group["members"] == []
    await told(opened, "group remove", name="leads")
    assert await told(opened, "group list") == []


async def test_a_robot_and_its_tokens_are_told_with_their_secret_once(
    opened: OpenRegistry,
) -> None:
    [made] = await told(
        opened, "robot add", name="ci", grants=[["push", "team/*"]], life_ms=86_400_000
    )
    [minted] = await told(opened, "token add", name="ci", label="two", limits=[["pull", "*"]])

    for each in (made, minted):
        secret = parse_token(each["secret"])
        assert secret is not None
        assert secret.id == each["id"]
    [robot] = await told(opened, "robot list")
    listed = await told(opened, "token list", name="ci")
    assert robot["tokens"] == listed
    by_id = {token["id"]: token for token in listed}
    assert (by_id[made["id"]]["label"], by_id[made["id"]]["limits"]) == ("first", None)
    assert by_id[minted["id"]]["limits"] == [["pull", "*"]]
    [grant] = await told(opened, "grant list", who="ci")
    assert (grant["role"], grant["pattern"]) == ("push", "team/*")


async def test_a_token_is_revoked_and_a_robot_removed(opened: OpenRegistry) -> None:
    [made] = await told(opened, "robot add", name="ci")

    [revoked] = await told(opened, "token revoke", id=made["id"])

    assert (revoked["id"], revoked["principal"]) == (made["id"], "ci")
    assert await told(opened, "token list") == []
    await told(opened, "robot remove", name="ci")
    assert await told(opened, "robot list") == []


@pytest.mark.parametrize(
    "given", [["pull"], ["pull", "a", "b"], ["no role", "a"], ["pull", "/a"], [1, 2], 5, None]
)
async def test_a_malformed_grant_is_refused(opened: OpenRegistry, given: Any) -> None:
    with pytest.raises(Invalid):
        await told(opened, "robot add", name="ci", grants=[given])

    assert await told(opened, "robot list") == []


@pytest.mark.parametrize(
    ("command", "arguments", "error"),
    [
        ("user remove", {"name": "nobody"}, Absent),
        ("group remove", {"name": "nobody"}, Absent),
        ("robot remove", {"name": "nobody"}, Absent),
        ("token revoke", {"id": "nothing"}, Absent),
        ("token add", {"name": "nobody"}, Absent),
        ("user add", {"name": "Not A Name"}, Invalid),
        ("user add", {"name": "ada", "password": "short"}, Invalid),
        ("user add", {"name": "ada", "shell": "x"}, CommandRefused),
        ("setup", {"name": "ada"}, CommandRefused),
    ],
)
async def test_a_command_that_cannot_be_done_says_which_kind_of_refusal_it_is(
    opened: OpenRegistry, command: str, arguments: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error) as caught:
        await told(opened, command, **arguments)

    assert type(caught.value) is error
