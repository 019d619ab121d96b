"""GET and POST /token: what a client asks for, what it gets, and what it may do with it."""

import json
import re
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest

from oci.http import parse_challenge
from registry.auth.access_token import MAX_LENGTH
from registry.auth.secrets import mint
from registry.config import LogSettings
from registry.services.identity import principals, tokens
from registry.storage.system_clock import SystemClock
from tests.support.registry.identified import (
    ACTOR,
    PASSWORD,
    Headers,
    Identified,
    basic,
    identified,
    secret_of,
)
from tests.support.registry.wire import refused

SCOPE = "repository:team/app:pull,push"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
async def opened(root: Path) -> AsyncIterator[Identified]:
    """A registry where ada has a password and may push to team/*."""
    async with identified(root) as opened:
        await opened.user("ada", "push team/*", password=PASSWORD)
        yield opened


async def get(
    opened: Identified, headers: Headers | None = None, **query: str | list[str]
) -> httpx2.Response:
    return await opened.client.get("/token", params=query, headers=headers)


async def post(opened: Identified, **form: str) -> httpx2.Response:
    return await opened.client.post("/token", content=urlencode(form), headers=FORM)


def granted(answer: httpx2.Response) -> dict[str, Any]:
    """The document of a token that was issued, once it is complete."""
    assert answer.status_code == 200, answer.text
    assert "no-store" in answer.headers["cache-control"]
    assert answer.headers["content-type"] == "application/json"
    document: dict[str, Any] = answer.json()
    assert document["token"] == document["access_token"]
    assert document["expires_in"] >= 60
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", document["issued_at"])
    return document


async def may_push(opened: Identified, document: dict[str, Any], name: str = "team/app") -> bool:
    headers = {"Authorization": f"Bearer {document['token']}"}
    answer = await opened.client.post(f"/v2/{name}/blobs/uploads/", headers=headers)
    assert answer.status_code in (202, 401)
    return answer.status_code == 202


async def test_a_password_gets_a_token_for_what_was_asked(opened: Identified) -> None:
    found = granted(await get(opened, basic("ada", PASSWORD), service="slipway", scope=SCOPE))

    assert found["scope"] == SCOPE
    assert "refresh_token" not in found
    assert await may_push(opened, found)
    issued = datetime.fromisoformat(found["issued_at"])
    assert abs((datetime.now(UTC) - issued).total_seconds()) < 60


async def test_a_robots_token_gets_one_too(opened: Identified) -> None:
    headers = await opened.robot("ci", "push team/app")

    assert await may_push(opened, granted(await get(opened, headers, scope=SCOPE)))
    by_bearer = {"Authorization": f"Bearer {secret_of(headers)}"}
    assert await may_push(opened, granted(await get(opened, by_bearer, scope=SCOPE)))
    by_form = await post(
        opened, grant_type="password", username="ci", password=secret_of(headers), scope=SCOPE
    )
    assert await may_push(opened, granted(by_form))


async def test_an_2_wrong_credentials_have_one_answer(opened: Identified) -> None:
    ada = await opened.token("ada")
    other = secret_of(ada)
    wrong = [
        basic("ada", "wrong"),
        basic("nobody", "wrong"),
        basic("nobody", other),
        basic("anonymous", ""),
        basic("everyone", "x"),
        basic("ada", f"{other[:20]}x{other[21:]}"),
    ]
    by_form = [
        await post(opened, grant_type="password", username=user, password="wrong")  # noqa: S106
        for user in ("ada", "nobody", "everyone")
    ]

    answers = [await get(opened, headers, scope=SCOPE) for headers in wrong] + by_form

    for answer in answers:
        refused(answer, 401, "UNAUTHORIZED")
        (challenge,) = parse_challenge(answer.headers["www-authenticate"])
        assert challenge.scheme == "Basic"
    assert len({answer.text for answer in answers}) == 1


async def test_failed_logins_make_passwords_wait_and_no_token(
    opened: Identified, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One robot with an old token must not keep away all others of its network."""
    stopped = time.monotonic_ns() // 1_000_000
    monkeypatch.setattr(SystemClock, "monotonic_ms", lambda _: stopped)
    ada, old = await opened.token("ada"), basic("ada", mint().text)

    for _ in range(30):
        refused(await get(opened, old), 401, "UNAUTHORIZED")
    granted(await get(opened, basic("ada", PASSWORD)))
    answers = [await get(opened, basic("ada", "wrong")) for _ in range(6)]

    assert [answer.status_code for answer in answers] == [401] * 5 + [429]
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert (await get(opened, basic("ada", PASSWORD))).status_code == 429
    granted(await get(opened, ada))
    granted(await post(opened, grant_type="password", username="ada", password=secret_of(ada)))


async def test_an_account_that_ended_gets_no_token(opened: Identified) -> None:
    headers, robot = await opened.token("ada"), await opened.robot("ci", "push *")
    refresh = granted(await get(opened, headers, offline_token="true"))["refresh_token"]  # noqa: S106
    await principals.set_flags(opened.state, ACTOR, "ada", is_disabled=True)
    await principals.remove(opened.state, ACTOR, "ci", "robot")

    answers = [
        await get(opened, headers, scope=SCOPE),
        await get(opened, robot, scope=SCOPE),
        await get(opened, basic("ada", PASSWORD), scope=SCOPE),
        await post(opened, grant_type="refresh_token", refresh_token=refresh, scope=SCOPE),
        await post(opened, grant_type="password", username="ada", password=secret_of(headers)),
    ]

    for answer in answers:
        refused(answer, 401, "UNAUTHORIZED")
        assert "token" not in answer.json()


async def test_anyone_gets_an_anonymous_token_for_what_anyone_may(opened: Identified) -> None:
    await opened.grant("anonymous", "pull public/*")

    asked = ["repository:public/app:pull,push", "repository:team/app:pull"]
    found = granted(await get(opened, scope=asked, offline_token="true"))  # noqa: S106

    assert found["scope"] == "repository:public/app:pull"
    assert "refresh_token" not in found


@pytest.mark.parametrize(
    ("asked", "got"),
    [
        (["repository:team/a:pull", "repository:team/b:push"], "repository:team/a:pull "
         "repository:team/b:push"),
        (["repository:team/a:pull repository:team/b:push"], "repository:team/a:pull "
         "repository:team/b:push"),
        (["repository:team/a:pull", "repository:team/a:push"], "repository:team/a:pull,push"),
        (["repository(plugin):team/a:pull"], "repository:team/a:pull"),
        (["repository:team/a:*"], "repository:team/a:pull,push"),
        (["repository:team/a:pull,delete"], "repository:team/a:pull"),
        (["repository:other/a:pull,push"], ""),
        (["repository:*:pull", "repository:team/*:pull", "repository:Team/a:pull"], ""),
        (["repository:host:5000/team/a:pull"], ""),
        (["registry:catalog:*"], "registry:catalog:*"),
        (["registry:other:*", "package:team/a:pull", "nonsense", ":::", "", "repository:x\0:pull"],
         ""),
        (["repository:team/a:admin", "repository:team/a:"], ""),
    ],
)  # fmt: skip
async def test_the_granted_part_is_given_and_less_is_no_failure(
    opened: Identified, asked: list[str], got: str
) -> None:
    headers = await opened.token("ada")

    assert granted(await get(opened, headers, scope=asked))["scope"] == got


async def test_an_auditor_gets_the_scope_that_listing_needs(opened: Identified) -> None:
    headers = await opened.user("eve", is_auditor=True)

    found = granted(await get(opened, headers, scope=SCOPE))

    assert found["scope"] == "repository:team/app:pull"
    bearer = {"Authorization": f"Bearer {found['token']}"}
    assert (await opened.client.get("/v2/team/app/tags/list", headers=bearer)).status_code == 404
    content = await opened.client.get("/v2/team/app/manifests/latest", headers=bearer)
    refused(content, 401, "UNAUTHORIZED")


async def test_a_token_of_many_scopes_still_fits_into_a_header(opened: Identified) -> None:
    headers = await opened.token("ada")
    names = [f"team/{'long/' * 40}{number}" for number in range(150)]
    asked = [f"repository:{name}:pull,push,delete" for name in names]

    found = granted(await get(opened, headers, scope=asked))

    assert len(found["token"]) <= MAX_LENGTH
    assert len(found["scope"].split()) > 10
    assert await may_push(opened, found, names[0])


async def test_an_access_token_gets_no_other_token(opened: Identified) -> None:
    narrow = await opened.bearer(await opened.token("ada"), "repository:team/app:pull")

    answer = await get(opened, narrow, scope=SCOPE, offline_token="true")  # noqa: S106

    refused(answer, 401, "UNAUTHORIZED")


async def refresh_of(opened: Identified, way: str) -> str:
    if way == "offline_token":
        answer = await get(opened, basic("ada", PASSWORD), offline_token="true")  # noqa: S106
    else:
        answer = await post(
            opened,
            grant_type="password",
            username="ada",
            password=PASSWORD,
            access_type="offline",
            service="slipway",
            client_id="test",
        )
    refresh: str = granted(answer)["refresh_token"]
    return refresh


@pytest.mark.parametrize("way", ["offline_token", "access_type"])
async def test_a_refresh_token_gets_access_tokens_until_the_password_changes(
    opened: Identified, way: str
) -> None:
    refresh = await refresh_of(opened, way)
    form = {"grant_type": "refresh_token", "refresh_token": refresh, "scope": SCOPE}

    first = granted(await post(opened, **form))
    assert first["scope"] == SCOPE
    assert await may_push(opened, first)
    await principals.set_password(opened.state, ACTOR, "ada", PASSWORD + " new")

    refused(await post(opened, **form), 401, "UNAUTHORIZED")
    assert not await may_push(opened, first), "access tokens of the old password end too"


async def test_a_refresh_token_ends_with_the_token_that_got_it(opened: Identified) -> None:
    headers = await opened.token("ada", "pull team/app", label="narrow")
    refresh = granted(await get(opened, headers, offline_token="1"))["refresh_token"]  # noqa: S106
    form = {"grant_type": "refresh_token", "refresh_token": refresh, "scope": SCOPE}

    narrow = granted(await post(opened, **form))
    assert narrow["scope"] == "repository:team/app:pull", "its limits are the token's"
    (found,) = [
        each for each in await tokens.list_tokens(opened.state, "ada") if each.label == "narrow"
    ]
    await tokens.revoke_token(opened.state, ACTOR, found.id)

    refused(await post(opened, **form), 401, "UNAUTHORIZED")


async def test_a_refresh_token_ends_with_the_user_though_the_name_comes_again(
    opened: Identified,
) -> None:
    refresh = await refresh_of(opened, "offline_token")
    form = {"grant_type": "refresh_token", "refresh_token": refresh, "scope": SCOPE}
    access = granted(await post(opened, **form))
    await principals.remove(opened.state, ACTOR, "ada", "user")
    await opened.user("ada", "push team/*", password=PASSWORD)

    refused(await post(opened, **form), 401, "UNAUTHORIZED")
    assert not await may_push(opened, access)


async def test_a_refresh_token_is_no_access_token_and_the_other_way(opened: Identified) -> None:
    refresh = await refresh_of(opened, "offline_token")
    access = granted(await get(opened, basic("ada", PASSWORD), scope=SCOPE))["token"]

    by_refresh = {"Authorization": f"Bearer {refresh}"}
    refused(await opened.client.get("/v2/", headers=by_refresh), 401, "UNAUTHORIZED")
    answer = await post(opened, grant_type="refresh_token", refresh_token=access)
    refused(answer, 401, "UNAUTHORIZED")


@pytest.mark.parametrize("kind", ["authorization_code", "client_credentials", "PASSWORD", "x" * 99])
async def test_another_grant_type_is_an_error_of_oauth(opened: Identified, kind: str) -> None:
    answer = await post(opened, grant_type=kind, username="ada", password=PASSWORD)

    assert answer.status_code == 400
    assert "no-store" in answer.headers["cache-control"]
    assert answer.json()["error"] == "unsupported_grant_type"
    assert PASSWORD not in answer.text


GOOD = {"grant_type": "password", "username": "ada", "password": PASSWORD}


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 400),
        (b"grant_type", 400),
        (b"grant_type=", 400),
        (b"\xff\xfe", 400),
        (b"grant_type=password&username=ada", 400),
        (b"grant_type=password&username=&password=x", 400),
        (b"grant_type=refresh_token", 400),
        (b"grant_type=refresh_token&refresh_token=x", 401),
        (b"grant_type=password&username=ada&password=%ff", 400),
        (b"grant_type=password&username=a%00da&password=x", 401),
        (b"grant_type=password&username=ada&password=x%00y", 401),
        (b"&".join([b"a=b"] * 300), 400),
        (json.dumps(GOOD).encode(), 400),
        (urlencode(GOOD).encode() + b"&password=again", 400),
        (urlencode(GOOD).encode() + b"&grant_type=password", 400),
        (urlencode(GOOD).encode() + b"&access_type=offline&access_type=online", 400),
        (b"grant_type=password&username=" + b"a" * 1000 + b"&password=x", 401),
        (b"grant_type=password&username=ada&password=" + b"a" * 2000, 401),
    ],
)
async def test_a_malformed_form_is_refused(opened: Identified, content: bytes, status: int) -> None:
    answer = await opened.client.post("/token", content=content, headers=FORM)

    refused(answer, status, "UNAUTHORIZED" if status == 401 else "UNSUPPORTED")
    assert PASSWORD not in answer.text
    assert "token" not in answer.json()


async def test_a_huge_form_is_refused_before_it_is_held(opened: Identified) -> None:
    taken = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal taken
        while True:
            taken += 1
            yield b"a" * 65536

    answer = await opened.client.post("/token", content=body(), headers=FORM)

    assert answer.status_code == 413
    assert taken < 10


async def test_no_answer_and_no_log_line_has_a_secret(
    root: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with identified(root, logs=LogSettings("json", "debug")) as opened:
        token = secret_of(await opened.user("ada"))
        wrong = f"{token}x"
        answers = [
            await get(opened, basic("ada", wrong)),
            await get(opened, basic("nobody", token)),
            await get(opened, {"Authorization": f"Basic {token}"}),
            await get(opened, {"Authorization": f"Bearer {wrong}"}),
            await post(opened, grant_type=token),
            await post(opened, grant_type="refresh_token", refresh_token=token),
            await post(opened, grant_type="password", username="nobody", password=token),
            await opened.client.post("/token", content=f"{token}={token}", headers=FORM),
            await opened.client.get("/v2/", headers=basic("ada", wrong)),
            await opened.client.get("/v2/team/app/tags/list", headers=basic("ada", wrong)),
        ]

    written = "".join(capfd.readouterr())
    assert written.count("/token") >= 8, "the log has the requests"
    assert token not in written
    for answer in answers:
        assert 400 <= answer.status_code < 500
        assert token not in answer.text
        assert not any(token in value for value in answer.headers.values())


async def test_without_identities_a_token_is_anonymous_and_credentials_mean_nothing(
    root: Path,
) -> None:
    async with identified(root, "pull") as opened:
        found = granted(await get(opened, basic("ada", "old password"), scope=SCOPE))

        assert found["scope"] == "repository:team/app:pull"
        assert not await may_push(opened, found)
