"""Requests: pages, conditions and bodies at their bounds."""

import pytest

from registry.api.management.bodies import MAX_BODY
from registry.api.management.requests import cursor
from tests.registry.api.management.conftest import Callers
from tests.support.registry.managed import Managed, refused


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "", "x", "1.0", "٣", "9" * 5000, "+5", "1_0"])
async def test_a_limit_is_from_1_to_1000(managed: Managed, callers: Callers, limit: str) -> None:
    answer = await managed.call("GET", "/users", callers.owner, params={"limit": limit})

    refused(answer, 400, "expected 1 to 1000")


@pytest.mark.parametrize("limit", ["1", "1000"])
async def test_the_bounds_of_a_limit_are_within(
    managed: Managed, callers: Callers, limit: str
) -> None:
    answer = await managed.call("GET", "/users", callers.owner, params={"limit": limit})

    assert answer.status_code == 200
    assert ("link" in answer.headers) == (limit == "1")


@pytest.mark.parametrize("after", ["", "x", "YQ", "YR==", "_w==", "Y Q=", "é", "=" * 9])
async def test_only_a_cursor_of_ours_begins_a_page(
    managed: Managed, callers: Callers, after: str
) -> None:
    for path in ("/users", "/grants"):
        answer = await managed.call("GET", path, callers.owner, params={"after": after})
        refused(answer, 400, "expected the next of an earlier page")


async def test_a_cursor_of_another_list_is_refused_where_it_means_nothing(
    managed: Managed, callers: Callers
) -> None:
    for key in ("ada", "1 ", "²", "1" * 40):
        query = {"after": cursor(key)}
        answer = await managed.call("GET", "/grants", callers.owner, params=query)
        refused(answer, 400, "of another list")


async def test_the_link_leads_to_the_next_page(managed: Managed, callers: Callers) -> None:
    answer = await managed.call("GET", "/users", callers.owner, params={"limit": "1"})
    target = answer.headers["link"].removeprefix("<").partition(">")[0]

    following = await managed.opened.client.get(target, headers=callers.owner)

    assert [each["name"] for each in following.json()["items"]] == ["bob"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("If-Match", "3"), ("If-Match", 'W/"3"'), ("If-Match", '"3", x'), ("If-None-Match", '"3"'),
     ("If-None-Match", "x")],
)  # fmt: skip
async def test_a_malformed_condition_is_refused(
    managed: Managed, callers: Callers, name: str, value: str
) -> None:
    headers = {**callers.owner, name: value}

    refused(await managed.call("PUT", "/users/bob", headers, {}), 400, f"{name} is")


async def test_one_of_several_tags_is_enough(managed: Managed, callers: Callers) -> None:
    etag = (await managed.call("GET", "/users/bob", callers.owner)).headers["etag"]
    headers = {**callers.owner, "If-Match": f'"999", {etag}'}

    assert (await managed.call("PUT", "/users/bob", headers, {})).status_code == 200


@pytest.mark.parametrize("media_type", ["text/plain", "", "application/x-www-form-urlencoded",
                                        "application/merge-patch+json"])  # fmt: skip
async def test_a_body_of_another_media_type_is_refused(
    managed: Managed, callers: Callers, media_type: str
) -> None:
    headers = {**callers.owner, "Content-Type": media_type}

    answer = await managed.call("POST", "/me/tokens", headers, content=b"{}")

    refused(answer, 415, "expected application/json")


async def test_a_body_is_bounded_however_it_is_sent(managed: Managed, callers: Callers) -> None:
    headers = {**callers.owner, "Content-Type": "application/json; charset=utf-8"}
    fits = b"{}" + b" " * (MAX_BODY - 2)

    async def in_chunks() -> object:
        for place in range(0, MAX_BODY, 4096):
            yield fits[place : place + 4096]
        yield b" "

    answer = await managed.call("POST", "/me/tokens", headers, content=fits)
    assert answer.status_code == 201
    for content in (fits + b" ", in_chunks()):
        answer = await managed.call("POST", "/me/tokens", headers, content=content)
        refused(answer, 413, "larger than 65536 bytes")


async def test_a_duplicate_member_is_refused(managed: Managed, callers: Callers) -> None:
    headers = {**callers.owner, "Content-Type": "application/json"}
    content = b'{"is_owner": false, "is_owner": true}'

    answer = await managed.call("PUT", "/users/bob", headers, content=content)

    refused(answer, 400, "'is_owner' twice")
