"""Users: create, replace, change, remove, and the last owner."""

import pytest

from tests.registry.api.management.conftest import Callers
from tests.support.registry.identified import basic, rows
from tests.support.registry.managed import Managed, refused

PASSWORD = "a password of this test"  # noqa: S105
OFF = {"is_owner": False, "is_auditor": False, "is_disabled": False}


async def test_put_creates_and_then_replaces(managed: Managed, callers: Callers) -> None:
    created = await managed.call("PUT", "/users/eve", callers.owner, {"is_auditor": True})
    shown = await managed.call("GET", "/users/eve", callers.owner)
    replaced = await managed.call("PUT", "/users/eve", callers.owner, {})

    assert created.status_code == 201
    assert created.json() == shown.json()
    assert created.headers["etag"] == shown.headers["etag"]
    assert created.json() == created.json() | OFF | {"name": "eve", "is_auditor": True}
    assert created.json()["created_by"] == "ada"
    assert created.json()["created_at"].endswith("Z")
    assert replaced.status_code == 200
    assert replaced.json()["is_auditor"] is False
    assert replaced.headers["etag"] != shown.headers["etag"]


async def test_a_password_is_taken_and_never_shown(managed: Managed, callers: Callers) -> None:
    answer = await managed.call("PUT", "/users/eve", callers.owner, {"password": PASSWORD})

    assert answer.json()["has_password"] is True
    assert PASSWORD not in answer.text
    assert (await managed.call("GET", "/me", basic("eve", PASSWORD))).status_code == 200
    kept = await managed.call("PUT", "/users/eve", callers.owner, {})
    assert kept.json()["has_password"] is True
    removed = await managed.call("PATCH", "/users/eve", callers.owner, {"password": None})
    assert removed.json()["has_password"] is False
    assert (await managed.call("GET", "/me", basic("eve", PASSWORD))).status_code == 401


async def test_a_patch_changes_its_members_alone(managed: Managed, callers: Callers) -> None:
    await managed.call("PUT", "/users/eve", callers.owner, {"is_auditor": True})

    answer = await managed.call(
        "PATCH",
        "/users/eve",
        {**callers.owner, "Content-Type": "application/merge-patch+json"},
        {"is_disabled": True},
    )

    assert answer.json() == answer.json() | {"is_auditor": True, "is_disabled": True}
    refused(await managed.call("PATCH", "/users/absent", callers.owner, {}), 404, "no user absent")


async def test_a_disabled_users_token_ends_at_once(managed: Managed, callers: Callers) -> None:
    await managed.call("PATCH", "/users/bob", callers.owner, {"is_disabled": True})

    refused(await managed.call("GET", "/me", callers.bob), 401, "disabled")


@pytest.mark.parametrize(
    ("method", "body"),
    [("PUT", {}), ("PATCH", {"is_owner": False}), ("PATCH", {"is_disabled": True}),
     ("DELETE", None)],
)  # fmt: skip
async def test_the_last_owner_stays(
    managed: Managed, callers: Callers, method: str, body: object
) -> None:
    before = await rows(managed.opened, "principals", "audit")

    refused(await managed.call(method, "/users/ada", callers.owner, body), 409, "the only owner")

    assert await rows(managed.opened, "principals", "audit") == before


async def test_a_second_owner_lets_the_first_go(managed: Managed, callers: Callers) -> None:
    await managed.call("PUT", "/users/bob", callers.owner, {"is_owner": True})

    answer = await managed.call("DELETE", "/users/ada", callers.bob)

    assert answer.status_code == 204
    refused(await managed.call("GET", "/me", callers.owner), 401)


async def test_conditions_are_held_against_the_version(managed: Managed, callers: Callers) -> None:
    new = {**callers.owner, "If-None-Match": "*"}
    assert (await managed.call("PUT", "/users/eve", new, {})).status_code == 201
    refused(await managed.call("PUT", "/users/eve", new, {}), 412, "expected that none exists")

    etag = (await managed.call("GET", "/users/eve", callers.owner)).headers["etag"]
    old = {**callers.owner, "If-Match": etag}
    body = {"is_auditor": True}
    assert (await managed.call("PATCH", "/users/eve", old, body)).status_code == 200
    for method, sent in (("PATCH", body), ("PUT", body), ("DELETE", None)):
        refused(await managed.call(method, "/users/eve", old, sent), 412, "expected")
    some = {**callers.owner, "If-Match": "*"}
    refused(await managed.call("PUT", "/users/absent", some, {}), 412, "none exists")


async def test_a_name_that_is_taken_or_malformed_is_refused(
    managed: Managed, callers: Callers
) -> None:
    await managed.call("PUT", "/groups/web", callers.owner, {})

    answer = await managed.call("PUT", "/users/web", callers.owner, {})
    refused(answer, 409, "there is a group web already")
    for name in ("Eve", "a--b", "everyone", "anonymous", "owner", "a" * 64):
        refused(await managed.call("PUT", f"/users/{name}", callers.owner, {}), 400, "name")
    refused(await managed.call("GET", "/users/web", callers.owner), 404, "no user web")


@pytest.mark.parametrize(
    "body",
    [{"is_owner": "yes"}, {"name": "x"}, {"version": 3}, {"password": None}, {"password": "short"},
     {"id": 1}, [], "x"],
)  # fmt: skip
async def test_a_body_with_more_or_other_members_changes_nothing(
    managed: Managed, callers: Callers, body: object
) -> None:
    before = await rows(managed.opened, "principals")

    refused(await managed.call("PUT", "/users/bob", callers.owner, body), 400)

    assert await rows(managed.opened, "principals") == before


async def test_a_second_delete_is_no_failure(managed: Managed, callers: Callers) -> None:
    for _ in range(2):
        assert (await managed.call("DELETE", "/users/bob", callers.owner)).status_code == 204
    refused(await managed.call("GET", "/users/bob", callers.owner), 404, "no user bob")


async def test_pages_walk_over_all_users_once(managed: Managed, callers: Callers) -> None:
    for number in range(5):
        await managed.call("PUT", f"/users/u{number}", callers.owner, {})

    names, query = [], {"limit": "2"}
    for _ in range(10):
        document = (await managed.call("GET", "/users", callers.owner, params=query)).json()
        names += [each["name"] for each in document["items"]]
        if document["next"] is None:
            break
        query["after"] = document["next"]

    assert names == ["ada", "bob", "lead", "u0", "u1", "u2", "u3", "u4"]
