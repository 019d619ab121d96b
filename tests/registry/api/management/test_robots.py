"""Robots: made, replaced, with tokens; and the attempts of an admin of team/* to get more."""

import pytest

from tests.registry.api.management.conftest import Callers
from tests.support.registry.identified import basic, rows, secret_of
from tests.support.registry.managed import Managed, refused

TABLES = ("principals", "grants", "tokens", "locks", "members", "audit")


def grants(*given: str) -> dict[str, object]:
    pairs = [each.split() for each in given]
    return {"grants": [{"role": role, "pattern": pattern} for role, pattern in pairs]}


async def test_a_robot_is_made_without_a_token_and_replaced(
    managed: Managed, callers: Callers
) -> None:
    created = await managed.call("PUT", "/robots/ci", callers.lead, grants("push team/app"))
    body = grants("pull team/*", "create team/app") | {"is_disabled": True}
    replaced = await managed.call("PUT", "/robots/ci", callers.lead, body)

    assert (created.status_code, replaced.status_code) == (201, 200)
    assert created.json()["grants"] == [{"role": "push", "pattern": "team/app"}]
    assert created.json()["created_by"] == "lead"
    assert replaced.json()["is_disabled"] is True
    assert {each["pattern"]: each["role"] for each in replaced.json()["grants"]} == {
        "team/*": "pull",
        "team/app": "create",
    }
    shown = await managed.call("GET", "/robots/ci", callers.lead)
    assert shown.json() == replaced.json()
    assert shown.headers["etag"] == replaced.headers["etag"]
    tokens = await managed.call("GET", "/robots/ci/tokens", callers.lead)
    assert tokens.json() == {"items": [], "next": None}


async def test_a_second_put_of_the_same_changes_no_row(managed: Managed, callers: Callers) -> None:
    await managed.call("PUT", "/robots/ci", callers.lead, grants("push team/app"))
    before = await rows(managed.opened, *TABLES)

    answer = await managed.call("PUT", "/robots/ci", callers.lead, grants("push team/app"))

    assert answer.status_code == 200
    assert await rows(managed.opened, *TABLES) == before


async def test_two_tokens_live_beside_each_other_and_end_apart(
    managed: Managed, callers: Callers
) -> None:
    await managed.call("PUT", "/robots/ci", callers.lead, grants("push team/app"))
    path = "/robots/ci/tokens"
    first, second = [
        (await managed.call("POST", path, callers.lead, {"expires_in": 60})).json()
        for _ in range(2)
    ]
    refused(await managed.call("POST", path, callers.lead, {}), 409, "may have 2")

    answer = await managed.call("DELETE", f"{path}/{first['id']}", callers.lead)

    assert answer.status_code == 204
    assert (await managed.call("GET", "/me", basic("ci", first["secret"]))).status_code == 401
    assert (await managed.call("GET", "/me", basic("ci", second["secret"]))).status_code == 200
    listed = await managed.call("GET", path, callers.lead)
    assert [each["id"] for each in listed.json()["items"]] == [second["id"]]
    assert second["secret"] not in listed.text


@pytest.mark.parametrize(
    "given", [("pull *",), ("pull team",), ("pull other/app",), ("pull team/app", "pull other/*"),
              ("pull {user}/*",), ("pull teams/*",), ()],
)  # fmt: skip
async def test_an_admin_gives_a_robot_nothing_beyond_their_pattern(
    managed: Managed, callers: Callers, given: tuple[str, ...]
) -> None:
    await managed.call("PUT", "/robots/ci", callers.lead, grants("push team/app"))
    before = await rows(managed.opened, *TABLES)

    for name in ("ci", "new"):
        refused(await managed.call("PUT", f"/robots/{name}", callers.lead, grants(*given)), 403)

    assert await rows(managed.opened, *TABLES) == before


@pytest.mark.parametrize("through", ["a grant", "a group"])
async def test_a_robot_that_holds_more_elsewhere_is_seen_and_not_changed(
    managed: Managed, callers: Callers, through: str
) -> None:
    """A token of it would give its minter all that it holds."""
    robot = await managed.opened.robot("ci", "push team/app")
    if through == "a grant":
        await managed.opened.grant("ci", "pull other/app")
    else:
        await managed.call("PUT", "/groups/deploy", callers.owner, {})
        await managed.opened.grant("deploy", "pull other/app")
        await managed.call("PUT", "/groups/deploy/members/ci", callers.owner)
    before = await rows(managed.opened, *TABLES)
    id = secret_of(robot).split("_")[1]

    shown = await managed.call("GET", "/robots/ci", callers.lead)
    assert shown.json()["grants"] == [{"role": "push", "pattern": "team/app"}]
    for method, path, body in (
        ("PUT", "", grants("pull team/app")),
        ("DELETE", "", None),
        ("GET", "/tokens", None),
        ("POST", "/tokens", {}),
        ("DELETE", f"/tokens/{id}", None),
    ):
        answer = await managed.call(method, f"/robots/ci{path}", callers.lead, body)
        refused(answer, 403, "expected one of all of other/app")
    assert await rows(managed.opened, *TABLES) == before


async def test_a_robots_name_gives_its_maker_nothing_beyond_their_pattern(
    managed: Managed, callers: Callers
) -> None:
    """With ``{user}/*`` for everyone, robot infra may not push below infra/."""
    await managed.opened.grant("everyone", "push {user}/*")
    made = await managed.call("PUT", "/robots/infra", callers.lead, grants("push team/app"))
    assert made.status_code == 201

    asked = "/access/explain?who=infra&action={}&repository={}"
    own = await managed.call("GET", asked.format("push", "team/app"), callers.owner)
    below = await managed.call("GET", asked.format("pull", "infra/app"), callers.owner)

    assert own.json()["is_allowed"] is True
    assert below.json()["is_allowed"] is False


async def test_a_hidden_robot_answers_as_an_absent_one(managed: Managed, callers: Callers) -> None:
    robot = await managed.opened.robot("hidden", "push other/app")
    id = secret_of(robot).split("_")[1]
    before = await rows(managed.opened, *TABLES)

    for method, path, body in (
        ("GET", "", None),
        ("DELETE", "", None),
        ("GET", "/tokens", None),
        ("POST", "/tokens", {}),
        ("DELETE", f"/tokens/{id}", None),
    ):
        details = []
        for name in ("hidden", "absent"):
            answer = await managed.call(method, f"/robots/{name}{path}", callers.lead, body)
            refused(answer, 404)
            details.append(answer.json()["detail"].replace(name, "NAME"))
        assert details[0] == details[1]
    assert (await managed.call("GET", "/robots", callers.lead)).json()["items"] == []
    assert await rows(managed.opened, *TABLES) == before


async def test_a_taken_name_tells_not_who_has_it(managed: Managed, callers: Callers) -> None:
    await managed.opened.robot("hidden", "push other/app")

    for name in ("hidden", "bob"):
        answer = await managed.call("PUT", f"/robots/{name}", callers.lead, grants("pull team/a"))
        refused(answer, 409, f"the name {name} is taken")


async def test_a_robot_does_not_manage_itself(managed: Managed) -> None:
    robot = await managed.opened.robot("ci", "admin team/*")
    id = secret_of(robot).split("_")[1]
    before = await rows(managed.opened, "principals", "grants")

    for method, path, body in (
        ("PUT", "", grants("admin team/*")),
        ("DELETE", "", None),
        ("POST", "/tokens", {}),
        ("DELETE", f"/tokens/{id}", None),
    ):
        refused(await managed.call(method, f"/robots/ci{path}", robot, body), 403, "ci is you")
    assert await rows(managed.opened, "principals", "grants") == before
    other = await managed.call("PUT", "/robots/other", robot, grants("push team/app"))
    assert other.status_code == 201


async def test_az_11_a_token_is_revoked_through_its_own_robot_alone(
    managed: Managed, callers: Callers
) -> None:
    await managed.opened.robot("one", "push team/app")
    foreign = [
        secret_of(await managed.opened.robot("two", "push team/app")).split("_")[1],
        secret_of(await managed.opened.robot("far", "push other/app")).split("_")[1],
        secret_of(callers.owner).split("_")[1],
    ]
    before = await rows(managed.opened, "tokens")

    for caller in (callers.lead, callers.owner):
        for id in foreign:
            answer = await managed.call("DELETE", f"/robots/one/tokens/{id}", caller)
            refused(answer, 404, "one has no token")
    for name in ("bob", "ada"):
        answer = await managed.call("POST", f"/robots/{name}/tokens", callers.owner, {})
        refused(answer, 404, f"no robot {name}")

    assert await rows(managed.opened, "tokens") == before


async def test_conditions_see_the_grants_too(managed: Managed, callers: Callers) -> None:
    body = grants("push team/app")
    new = {**callers.lead, "If-None-Match": "*"}
    etag = (await managed.call("PUT", "/robots/ci", new, body)).headers["etag"]
    refused(await managed.call("PUT", "/robots/ci", new, body), 412)

    await managed.opened.grant("ci", "pull team/other")

    old = {**callers.lead, "If-Match": etag}
    refused(await managed.call("PUT", "/robots/ci", old, body), 412)
    refused(await managed.call("DELETE", "/robots/ci", old), 412)


async def test_an_owner_deletes_again_what_is_gone(managed: Managed, callers: Callers) -> None:
    await managed.call("PUT", "/robots/ci", callers.lead, grants("push team/app"))

    assert (await managed.call("DELETE", "/robots/ci", callers.lead)).status_code == 204
    refused(await managed.call("DELETE", "/robots/ci", callers.lead), 404)
    assert (await managed.call("DELETE", "/robots/ci", callers.owner)).status_code == 204


async def test_pages_show_each_robot_within_reach_once(managed: Managed, callers: Callers) -> None:
    for number in range(4):
        await managed.opened.robot(f"r{number}", "push team/app")
        await managed.opened.robot(f"s{number}", "push other/app")
    found = {}
    for caller, headers in (("lead", callers.lead), ("owner", callers.owner)):
        names, query = [], {"limit": "3"}
        for _ in range(5):
            document = (await managed.call("GET", "/robots", headers, params=query)).json()
            names += [each["name"] for each in document["items"]]
            if document["next"] is None:
                break
            query["after"] = document["next"]
        found[caller] = names

    assert found["lead"] == ["r0", "r1", "r2", "r3"]
    assert found["owner"] == ["r0", "r1", "r2", "r3", "s0", "s1", "s2", "s3"]
