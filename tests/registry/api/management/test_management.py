"""Management: callers, refusals before the handler, parameters."""

import json
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from registry.api.management.endpoints import ENDPOINTS
from registry.api.management.management import Management
from registry.services.identity import principals
from registry.services.management import accounts
from tests.registry.api.management.conftest import Callers
from tests.support.registry.identified import ACTOR, basic, secret_of
from tests.support.registry.managed import Managed, check_problem, refused

PASSWORD = "a password of this test"  # noqa: S105


async def test_a_password_a_token_and_a_bearer_token_sign_in(managed: Managed) -> None:
    token = await managed.opened.user("ada", password=PASSWORD)
    bearer = {"Authorization": f"Bearer {secret_of(token)}"}

    for headers in (token, basic("ada", PASSWORD), bearer):
        answer = await managed.call("GET", "/me", headers)
        assert answer.json()["name"] == "ada"


async def test_a_caller_without_an_identity_is_asked_for_basic(managed: Managed) -> None:
    ada = await managed.opened.user("ada")
    access = await managed.opened.bearer(ada, "repository:a:pull")

    for headers, detail in (
        (None, "sign in"),
        (basic("ada", "wrong"), "unknown user"),
        (access, "an access token of /token is for /v2/"),
    ):
        answer = await managed.call("GET", "/me", headers)
        refused(answer, 401, detail)
        assert answer.headers["www-authenticate"] == 'Basic realm="slipway",charset="UTF-8"'


async def test_where_nobody_can_sign_in_the_operator_is_told_of(managed: Managed) -> None:
    refused(await managed.call("GET", "/me", basic("ada", "x")), 401, "registry setup")


async def test_two_authorization_headers_are_refused(managed: Managed) -> None:
    await managed.opened.user("ada")
    two: Any = [("Authorization", "Basic YTpi"), ("Authorization", "Basic YTpi")]

    refused(await managed.call("GET", "/me", two), 400, "2 Authorization headers")


async def test_unknown_paths_and_methods_are_problems_too(managed: Managed) -> None:
    for path in ("/absent", "/me/", "/users/a/b", "/"):
        refused(await managed.call("GET", path), 404, "no endpoint at")
    answer = await managed.call("POST", "/me")
    refused(answer, 405, "expected one of GET, HEAD")
    assert answer.headers["allow"] == "GET, HEAD"
    refused(await managed.call("GET", "/users/a%2Fb"), 400, "no encoded /")


async def test_only_the_prefix_with_its_slash_is_the_management_apis(managed: Managed) -> None:
    answer = await managed.opened.client.get("/api/v1")

    assert answer.status_code == 404
    assert answer.json()["errors"][0]["code"] == "UNSUPPORTED"


async def test_unknown_and_repeated_parameters_are_named(
    managed: Managed, callers: Callers
) -> None:
    for query, detail in (
        ({"limt": "1"}, "parameter 'limt' is unknown, expected one of limit, after"),
        ([("limit", "1"), ("limit", "2")], "parameter limit is repeated"),
    ):
        answer = await managed.call("GET", "/users", callers.owner, params=query)
        refused(answer, 400, detail)
    refused(await managed.call("GET", "/me", callers.owner, params={"x": "1"}), 400, "none")


async def test_no_caller_learns_of_a_parameter_before_they_may(managed: Managed) -> None:
    bob = await managed.opened.user("bob")

    refused(await managed.call("GET", "/users", bob, params={"limt": "1"}), 403, "an owner")


async def test_what_a_caller_may_not_see_answers_as_the_absent(
    managed: Managed, callers: Callers
) -> None:
    await principals.add_group(managed.opened.state, ACTOR, "web")

    for path, method in (("/users/bob", "GET"), ("/users/bob", "DELETE"), ("/groups/web", "GET")):
        there = await managed.call(method, path, callers.bob)
        absent = await managed.call(method, path[:-1] + "x", callers.bob)
        for answer in (there, absent):
            refused(answer, 404)
        assert without_instance(there.json(), path) == without_instance(absent.json(), path)
    for_owner = await managed.call("GET", "/users/box", callers.owner)
    for_bob = await managed.call("GET", "/users/box", callers.bob)
    assert without_instance(for_owner.json(), "") == without_instance(for_bob.json(), "")


def without_instance(document: dict[str, object], path: str) -> str:
    rest = {name: value for name, value in document.items() if name != "instance"}
    name = path.rpartition("/")[2]
    return json.dumps(rest).replace(name, "NAME").replace(name[:-1] + "x", "NAME")


async def test_a_role_that_is_taken_away_ends_with_the_next_request(
    managed: Managed, callers: Callers
) -> None:
    assert (await managed.call("GET", "/robots", callers.lead)).status_code == 200
    assert (await managed.call("GET", "/users", callers.owner)).status_code == 200

    await managed.opened.revoke("lead", "team/*")
    await managed.opened.user("eve", is_owner=True)
    await principals.set_flags(managed.opened.state, ACTOR, "ada", is_owner=False)

    assert (await managed.call("GET", "/robots", callers.lead)).status_code == 403
    assert (await managed.call("GET", "/users", callers.owner)).status_code == 403


async def test_an_unexpected_exception_is_a_problem_and_is_logged(
    managed: Managed, callers: Callers, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError("a fault of the program")

    monkeypatch.setattr(accounts, "read_account", broken)
    with capture_logs() as logs:
        answer = await managed.call("GET", "/me", callers.owner)

    check_problem(answer)
    assert answer.status_code == 500
    assert "fault" not in answer.text
    assert [each["event"] for each in logs] == ["request failed"]


async def test_a_head_is_answered_where_there_is_a_get(managed: Managed, callers: Callers) -> None:
    answer = await managed.opened.client.head("/api/v1/me", headers=callers.bob)

    assert answer.status_code == 200


def test_two_rows_for_one_method_and_path_are_refused() -> None:
    with pytest.raises(ValueError, match="two endpoints for GET"):
        Management([*ENDPOINTS, replace(ENDPOINTS[0])])
