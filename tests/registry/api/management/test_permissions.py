"""Grants, locks and explanations: within the reach, and not beyond it."""

from typing import Any

import pytest

from tests.registry.api.management.conftest import Callers
from tests.support.registry.identified import Headers, rows
from tests.support.registry.managed import Managed, refused

LOCK = {"pattern": "team/app", "tags": "v*"}


async def give(
    managed: Managed, headers: Headers, role: str, pattern: str, who: str = "bob"
) -> Any:
    return await managed.call(
        "PUT", f"/grants/{who}", headers, {"role": role}, params={"pattern": pattern}
    )


async def test_a_grant_is_given_replaced_and_taken(managed: Managed, callers: Callers) -> None:
    created = await give(managed, callers.lead, "pull", "team/*")
    replaced = await give(managed, callers.lead, "maintain", "team/*")

    assert (created.status_code, replaced.status_code) == (201, 200)
    assert replaced.json() == replaced.json() | {
        "who": "bob",
        "kind": "user",
        "role": "maintain",
        "pattern": "team/*",
        "created_by": "lead",
    }
    for _ in range(2):
        answer = await managed.call(
            "DELETE", "/grants/bob", callers.lead, params={"pattern": "team/*"}
        )
        assert answer.status_code == 204
    listed = await managed.call("GET", "/grants", callers.lead, params={"who": "bob"})
    assert [each["pattern"] for each in listed.json()["items"]] == ["team/app"]


@pytest.mark.parametrize(
    "pattern", ["*", "team", "other/app", "teams/*", "{user}/*", "team-2/*", "other/*"]
)
async def test_an_admin_gives_and_takes_nothing_beyond_their_pattern(
    managed: Managed, callers: Callers, pattern: str
) -> None:
    await managed.opened.grant("bob", f"push {pattern}")
    before = await rows(managed.opened, "grants", "audit")

    for role in ("pull", "admin"):
        for who in ("bob", "lead", "everyone", "absent"):
            refused(await give(managed, callers.lead, role, pattern, who), 403, "team/*")
    for who in ("bob", "absent"):
        answer = await managed.call(
            "DELETE", f"/grants/{who}", callers.lead, params={"pattern": pattern}
        )
        refused(answer, 403)

    assert await rows(managed.opened, "grants", "audit") == before


async def test_the_pattern_with_the_callers_name_is_theirs(managed: Managed) -> None:
    await managed.opened.user("bob")
    await managed.opened.grant("everyone", "admin {user}/*")
    eve = await managed.opened.user("eve")

    assert (await give(managed, eve, "pull", "eve/app")).status_code == 201
    refused(await give(managed, eve, "pull", "bob/app"), 403)
    refused(await give(managed, eve, "pull", "{user}/*"), 403)


async def test_a_caller_sees_the_grants_that_touch_their_pattern(
    managed: Managed, callers: Callers
) -> None:
    await managed.opened.grant("bob", "pull other/app", "pull team/x/*")

    listed = await managed.call("GET", "/grants", callers.lead)

    found = [(each["who"], each["pattern"]) for each in listed.json()["items"]]
    assert found == [
        ("lead", "team/*"), ("lead", "*"), ("bob", "team/app"), ("bob", "team/x/*")
    ]  # fmt: skip
    everything = await managed.call("GET", "/grants", callers.owner)
    assert len(everything.json()["items"]) == 5
    absent = await managed.call("GET", "/grants", callers.lead, params={"who": "absent"})
    refused(absent, 404, "absent")


async def test_pages_of_grants_walk_over_all_once(managed: Managed, callers: Callers) -> None:
    await managed.opened.grant("bob", *(f"pull team/a{number}" for number in range(7)))
    await managed.opened.grant("bob", *(f"pull other/a{number}" for number in range(7)))
    found, query = [], {"who": "bob", "limit": "3"}
    for _ in range(5):
        document = (await managed.call("GET", "/grants", callers.lead, params=query)).json()
        found += [each["pattern"] for each in document["items"]]
        if document["next"] is None:
            break
        query["after"] = document["next"]

    assert found == ["team/app", *(f"team/a{number}" for number in range(7))]


async def test_a_grant_needs_its_pattern_and_its_principal(
    managed: Managed, callers: Callers
) -> None:
    missing = await managed.call("PUT", "/grants/bob", callers.owner, {"role": "pull"})
    refused(missing, 400, "parameter pattern is missing")
    refused(await give(managed, callers.owner, "pull", "/team"), 400, "pattern is '/team'")
    refused(await give(managed, callers.owner, "owner", "team"), 400, "/role")
    refused(await give(managed, callers.owner, "pull", "team", "absent"), 404, "absent")


async def test_conditions_of_a_grant(managed: Managed, callers: Callers) -> None:
    new = {**callers.lead, "If-None-Match": "*"}
    etag = (await give(managed, new, "pull", "team/x")).headers["etag"]
    refused(await give(managed, new, "pull", "team/x"), 412)
    old = {**callers.lead, "If-Match": etag}

    assert (await give(managed, old, "push", "team/x")).status_code == 200
    refused(await give(managed, old, "pull", "team/x"), 412)
    answer = await managed.call("DELETE", "/grants/bob", old, params={"pattern": "team/x"})
    refused(answer, 412)


async def test_a_lock_is_made_replaced_and_removed(managed: Managed, callers: Callers) -> None:
    created = await managed.call("PUT", "/locks/releases", callers.lead, LOCK)
    body = {"pattern": "team/*", "tags": "v[0-9]*"}
    replaced = await managed.call("PUT", "/locks/releases", callers.lead, body)
    shown = await managed.call("GET", "/locks/releases", callers.lead)

    assert (created.status_code, replaced.status_code) == (201, 200)
    assert shown.json() == replaced.json() == replaced.json() | body
    assert shown.headers["etag"] == replaced.headers["etag"] != created.headers["etag"]
    old = {**callers.lead, "If-Match": created.headers["etag"]}
    refused(await managed.call("DELETE", "/locks/releases", old), 412)
    assert (await managed.call("DELETE", "/locks/releases", callers.lead)).status_code == 204
    refused(await managed.call("DELETE", "/locks/releases", callers.lead), 404)
    assert (await managed.call("DELETE", "/locks/releases", callers.owner)).status_code == 204


async def test_a_lock_from_above_is_seen_and_not_changed(
    managed: Managed, callers: Callers
) -> None:
    await managed.call("PUT", "/locks/all", callers.owner, {"pattern": "*", "tags": "v*"})
    before = await rows(managed.opened, "locks")

    assert (await managed.call("GET", "/locks/all", callers.lead)).status_code == 200
    listed = await managed.call("GET", "/locks", callers.lead)
    assert [each["name"] for each in listed.json()["items"]] == ["all"]
    for method, body in (("PUT", LOCK), ("DELETE", None)):
        answer = await managed.call(method, "/locks/all", callers.lead, body)
        refused(answer, 403, "expected one of all of *")
    assert await rows(managed.opened, "locks") == before


async def test_a_lock_elsewhere_is_hidden_and_not_replaced(
    managed: Managed, callers: Callers
) -> None:
    elsewhere = {"pattern": "other/*", "tags": "v*"}
    await managed.call("PUT", "/locks/far", callers.owner, elsewhere)
    before = await rows(managed.opened, "locks")

    for name in ("far", "absent"):
        for method in ("GET", "DELETE"):
            answer = await managed.call(method, f"/locks/{name}", callers.lead)
            refused(answer, 404, f"there is no lock {name}")
    refused(await managed.call("PUT", "/locks/far", callers.lead, LOCK), 409, "far is taken")
    refused(await managed.call("PUT", "/locks/new", callers.lead, elsewhere), 403)
    assert (await managed.call("GET", "/locks", callers.lead)).json()["items"] == []
    assert await rows(managed.opened, "locks") == before


@pytest.mark.parametrize(
    "body",
    [{"pattern": "team/app", "tags": ""}, {"pattern": "team/app"}, {"tags": "v*"},
     {"pattern": "team/{user}", "tags": "v*"}, {"pattern": "team/app", "tags": "[z-a]"}],
)  # fmt: skip
async def test_a_malformed_lock_is_refused(
    managed: Managed, callers: Callers, body: object
) -> None:
    refused(await managed.call("PUT", "/locks/new", callers.lead, body), 400)


async def explained(managed: Managed, headers: Headers, **query: str) -> Any:
    given = {"action": "push", "repository": "team/app", **query}
    return await managed.call("GET", "/access/explain", headers, params=given)


async def test_a_caller_is_told_why_they_may_or_not(managed: Managed, callers: Callers) -> None:
    may = (await explained(managed, callers.bob)).json()
    may_not = (await explained(managed, callers.bob, action="maintain")).json()

    assert (may["who"], may["is_allowed"]) == ("bob", True)
    assert "bob holds push on team/app" in may["reason"]
    assert may_not["is_allowed"] is False
    assert may_not["steps"][-1] == {"name": "grants", "passed": False, "text": may_not["reason"]}


async def test_the_limits_of_the_callers_own_token_are_told(managed: Managed) -> None:
    await managed.opened.user("bob", "push team/app")
    narrow = await managed.opened.token("bob", "pull team/app")

    document = (await explained(managed, narrow)).json()

    assert document["steps"][-1]["name"] == "token"


async def test_others_are_explained_to_admins_of_the_repository_alone(
    managed: Managed, callers: Callers
) -> None:
    for headers, repository, status in (
        (callers.lead, "team/app", 200),
        (callers.owner, "other/app", 200),
        (callers.lead, "other/app", 403),
        (callers.bob, "team/app", 403),
    ):
        answer = await explained(managed, headers, who="auditor", repository=repository)
        assert answer.status_code == (404 if status == 200 else 403)
        answer = await explained(managed, headers, who="anonymous", repository=repository)
        assert answer.status_code == status


@pytest.mark.parametrize(
    ("query", "detail"),
    [({"action": "see it"}, "action is 'see it', expected one of see, pull"),
     ({"action": ""}, "parameter action is missing"),
     ({"repository": "Team"}, "Team"),
     ({"tag": "a b"}, "a b")],
)  # fmt: skip
async def test_a_malformed_question_is_refused(
    managed: Managed, callers: Callers, query: dict[str, str], detail: str
) -> None:
    refused(await explained(managed, callers.bob, **query), 400, detail)


async def test_the_lock_of_a_tag_is_told(managed: Managed, callers: Callers) -> None:
    await managed.call("PUT", "/locks/releases", callers.lead, LOCK)

    document = (await explained(managed, callers.bob, tag="v1")).json()

    assert document["tag"] == "v1"
    assert document["steps"][-1]["text"] == "tag v1 does not exist yet"
