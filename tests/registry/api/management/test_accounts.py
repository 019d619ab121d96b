"""/me, and the caller's own tokens."""

import pytest

from registry.services.identity.tokens import MAX_USER_TOKENS
from tests.registry.api.management.conftest import Callers
from tests.support.registry.identified import basic, rows, secret_of
from tests.support.registry.managed import Managed, refused

NARROW = {"role": "pull", "pattern": "team/app"}


async def test_me_tells_all_that_counts_for_the_caller(managed: Managed, callers: Callers) -> None:
    await managed.call("PUT", "/groups/web", callers.owner, {})
    await managed.call("PUT", "/groups/web/members/bob", callers.owner)
    await managed.opened.grant("web", "pull web/*")
    await managed.opened.grant("everyone", "pull public/*")

    document = (await managed.call("GET", "/me", callers.bob)).json()

    assert document == {
        "name": "bob",
        "kind": "user",
        "is_owner": False,
        "is_auditor": False,
        "groups": ["web"],
        "grants": [
            {"role": "pull", "pattern": "public/*", "held_by": "everyone"},
            {"role": "push", "pattern": "team/app", "held_by": "bob"},
            {"role": "pull", "pattern": "web/*", "held_by": "web"},
        ],
        "token": secret_of(callers.bob).split("_")[1],
        "limits": None,
    }


async def test_me_tells_the_limits_of_a_narrowed_token(managed: Managed) -> None:
    await managed.opened.user("bob", "push team/app")
    narrow = await managed.opened.token("bob", "pull team/app")

    assert (await managed.call("GET", "/me", narrow)).json()["limits"] == [NARROW]


async def test_a_minted_token_works_and_its_secret_is_shown_this_once(
    managed: Managed, callers: Callers
) -> None:
    body = {"label": "laptop", "limits": [NARROW], "expires_in": 3600}
    minted = await managed.call("POST", "/me/tokens", callers.bob, body)

    document = minted.json()
    secret = document["secret"]
    assert minted.headers["location"] == f"/api/v1/me/tokens/{document['id']}"
    assert (await managed.call("GET", "/me", basic("bob", secret))).json()["limits"] == [NARROW]
    listed = await managed.call("GET", "/me/tokens", callers.bob)
    assert secret not in listed.text
    (found,) = [each for each in listed.json()["items"] if each["label"] == "laptop"]
    assert found["expires_at"] == document["expires_at"] is not None
    stored = await rows(managed.opened, "tokens", "audit")
    assert secret not in str(stored)


async def test_a_revoked_token_ends_with_the_next_request(
    managed: Managed, callers: Callers
) -> None:
    document = (await managed.call("POST", "/me/tokens", callers.bob, {})).json()
    path = f"/me/tokens/{document['id']}"

    assert (await managed.call("DELETE", path, callers.bob)).status_code == 204

    refused(await managed.call("GET", "/me", basic("bob", document["secret"])), 401)
    refused(await managed.call("DELETE", path, callers.bob), 404, "bob has no token")


async def test_az_11_a_foreign_token_is_as_absent_as_none(
    managed: Managed, callers: Callers
) -> None:
    foreign = secret_of(callers.lead).split("_")[1]
    before = await rows(managed.opened, "tokens")

    for caller in (callers.bob, callers.owner):
        answers = [
            await managed.call("DELETE", f"/me/tokens/{id}", caller)
            for id in (foreign, "0" * 12, "x", "%20", "a" * 300)
        ]
        assert [answer.status_code for answer in answers] == [404] * 5
        texts = [answer.json()["detail"].replace(foreign, "0" * 12) for answer in answers]
        assert texts[0] == texts[1]

    assert await rows(managed.opened, "tokens") == before


async def test_a_narrowed_token_mints_and_revokes_nothing(managed: Managed) -> None:
    token = await managed.opened.user("bob", "admin team/*")
    id = secret_of(token).split("_")[1]
    narrow = await managed.opened.token("bob", "admin *")

    for method, path in (("POST", ""), ("GET", ""), ("DELETE", f"/{id}")):
        answer = await managed.call(method, f"/me/tokens{path}", narrow, {"label": "x"})
        refused(answer, 403, "this token is for admin on *")


async def test_a_robot_mints_no_token_for_itself(managed: Managed) -> None:
    robot = await managed.opened.robot("ci", "admin *")

    for method in ("GET", "POST"):
        answer = await managed.call(method, "/me/tokens", robot, {})
        refused(answer, 403, "ci is a robot")


async def test_a_wider_token_than_its_user_gives_no_more(managed: Managed) -> None:
    bob = await managed.opened.user("bob", "push team/app")
    body = {"limits": [{"role": "admin", "pattern": "*"}]}
    secret = (await managed.call("POST", "/me/tokens", bob, body)).json()["secret"]

    explained = await managed.call(
        "GET",
        "/access/explain",
        basic("bob", secret),
        params={"action": "maintain", "repository": "team/app"},
    )

    assert explained.json()["is_allowed"] is False


@pytest.mark.parametrize(
    "body",
    [
        {"limits": []},
        {"limits": [{"role": "pull", "pattern": "/x"}]},
        {"limits": [{"role": "pull", "pattern": "a", "user": "eve"}]},
        {"expires_in": 0},
        {"expires_in": -1},
        {"expires_in": 10**12},
        {"label": "x" * 101},
        {"label": "a\nb"},
        {"principal": "ada"},
        {"secret": "mine"},
    ],
)
async def test_a_malformed_body_mints_nothing(
    managed: Managed, callers: Callers, body: object
) -> None:
    before = await rows(managed.opened, "tokens")

    refused(await managed.call("POST", "/me/tokens", callers.bob, body), 400)

    assert await rows(managed.opened, "tokens") == before


async def test_tokens_are_bounded_and_their_pages_walk_over_all_once(
    managed: Managed, callers: Callers
) -> None:
    ids = [
        (await managed.call("POST", "/me/tokens", callers.bob, {})).json()["id"]
        for _ in range(MAX_USER_TOKENS - 1)
    ]
    refused(await managed.call("POST", "/me/tokens", callers.bob, {}), 409, "may have 100")

    found, query = [], {"limit": "33"}
    for _ in range(5):
        document = (await managed.call("GET", "/me/tokens", callers.bob, params=query)).json()
        found += [each["id"] for each in document["items"]]
        if document["next"] is None:
            break
        query["after"] = document["next"]

    assert sorted(found[1:]) == sorted(ids)
    assert len(set(found)) == MAX_USER_TOKENS
