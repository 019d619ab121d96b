"""Challenges over the wire: when a client is asked to sign in, where, and for what."""

from pathlib import Path

import httpx2
import pytest

from oci.http import Challenge, parse_challenge
from registry.config import Anonymous
from tests.support.images import an_image
from tests.support.registry.identified import Identified, basic, identified
from tests.support.registry.wire import NAME, as_written, push_image, refused

IMAGE = an_image()
PUSH = f"/v2/{NAME}/blobs/uploads/"


def challenged(answer: httpx2.Response) -> Challenge:
    """The one challenge of a refusal, a Bearer one for this service."""
    refused(answer, 401, "UNAUTHORIZED")
    assert answer.headers["docker-distribution-api-version"] == "registry/2.0"
    (header,) = answer.headers.get_list("www-authenticate")
    (found,) = parse_challenge(header)
    assert found.scheme == "Bearer"
    assert found.parameters["service"] == "slipway"
    return found


@pytest.mark.parametrize("anonymous", ["none", "pull", "push"])
async def test_v2_is_challenged_once_somebody_can_sign_in(root: Path, anonymous: Anonymous) -> None:
    """Also where anyone may pull: a client that is not challenged here never signs in."""
    async with identified(root, anonymous) as opened:
        before = await opened.client.get("/v2/")
        ada = await opened.user("ada")
        after = await opened.client.get("/v2/")
        anyone = await opened.bearer(None)

        assert before.status_code == (401 if anonymous == "none" else 200)
        found = challenged(after)
        assert found.parameters["realm"] == "http://registry.test/token"
        assert "scope" not in found.parameters
        assert "error" not in found.parameters
        for headers in (anyone, ada, await opened.bearer(ada)):
            assert (await opened.client.get("/v2/", headers=headers)).status_code == 200


async def test_without_identities_and_open_to_anyone_nothing_is_challenged(root: Path) -> None:
    """On a developer's machine: also with a password from another day."""
    async with identified(root, "push") as opened:
        opened.client.headers.update(basic("someone", "some password"))

        assert (await opened.client.get("/v2/")).status_code == 200
        await push_image(opened.client, IMAGE)
        assert (await opened.client.get("/v2/_catalog")).json() == {"repositories": [NAME]}


@pytest.mark.parametrize("anonymous", ["pull", "push"])
async def test_anyone_may_do_without_credentials_what_anonymous_may(
    root: Path, anonymous: Anonymous
) -> None:
    async with identified(root, anonymous) as opened:
        await opened.user("ada")

        listed = await opened.client.get(f"/v2/{NAME}/tags/list")
        begun = await opened.client.post(PUSH)

        assert listed.status_code == 404
        if anonymous == "push":
            assert begun.status_code == 202
        else:
            # Without credentials there is no error, and no role to tell of (RFC 6750 3.1).
            assert challenged(begun).parameters["scope"] == f"repository:{NAME}:pull,push"
            assert set(challenged(begun).parameters) == {"realm", "service", "scope"}
            message = refused(begun, 401, "UNAUTHORIZED")["message"]
            assert message == "sign in to push to this repository"


@pytest.mark.parametrize(
    ("method", "path", "asked"),
    [
        ("GET", f"/v2/{NAME}/tags/list", "pull"),
        ("GET", f"/v2/{NAME}/manifests/latest", "pull"),
        ("POST", PUSH, "pull,push"),
        ("PUT", f"/v2/{NAME}/manifests/latest", "pull,push"),
        ("DELETE", f"/v2/{NAME}/manifests/latest", "delete"),
        ("DELETE", f"/v2/{NAME}/blobs/{IMAGE.digest}", "delete"),
    ],
)
async def test_too_little_scope_is_401_with_the_scope_and_never_403(
    root: Path, method: str, path: str, asked: str
) -> None:
    """A client with a token for less asks for more only at a challenge."""
    async with identified(root) as opened:
        ada = await opened.user("ada", "maintain team/*")
        less = await opened.bearer(ada, "repository:team/other:pull,push,delete")

        found = challenged(await opened.client.request(method, path, headers=less))
        assert found.parameters["scope"] == f"repository:{NAME}:{asked}"
        assert found.parameters["error"] == "insufficient_scope"
        enough = await opened.bearer(ada, found.parameters["scope"])
        answer = await opened.client.request(method, path, headers=enough)
        assert answer.status_code not in (401, 403)


async def test_the_catalog_is_listed_with_its_scope_and_never_without(root: Path) -> None:
    async with identified(root, "pull") as opened:
        ada = await opened.user("ada")
        for headers in ({}, await opened.bearer(ada), await opened.bearer(None, "registry:x:*")):
            answer = await opened.client.get("/v2/_catalog", headers=headers)
            assert challenged(answer).parameters["scope"] == "registry:catalog:*"
        for caller in (ada, None):
            headers = await opened.bearer(caller, "registry:catalog:*")
            assert (await opened.client.get("/v2/_catalog", headers=headers)).status_code == 200


async def test_a_caller_whose_role_is_too_low_hears_of_it_at_401(root: Path) -> None:
    async with identified(root) as opened:
        ada = await opened.user("ada", "pull team/*")

        for headers in (ada, await opened.bearer(ada, f"repository:{NAME}:pull,push")):
            answer = await opened.client.post(PUSH, headers=headers)
            assert challenged(answer).parameters["scope"] == f"repository:{NAME}:pull,push"
            assert "holds pull" in answer.json()["errors"][0]["message"]


@pytest.mark.parametrize(
    "header",
    [
        *(
            "Basic",
            "Basic !!!!",
            "Basic OmI=",
            "Basic YQA6Yg==",
            "Bearer",
            "Bearer a b",
            "Digest x",
        ),
        *("Bearer x.y", "Bearer slipway_a_b_c", "Bearer e30.e30.", f"Bearer {'a' * 20000}"),
    ],
)
async def test_malformed_or_foreign_credentials_are_refused_also_where_anyone_may_pull(
    root: Path, header: str
) -> None:
    async with identified(root, "pull") as opened:
        await opened.user("ada")

        for path in ("/v2/", f"/v2/{NAME}/tags/list", "/v2/_catalog", "/token"):
            answer = await opened.client.get(path, headers={"Authorization": header})
            refused(answer, 401, "UNAUTHORIZED")


async def test_repeated_credentials_are_refused_also_if_both_are_right(root: Path) -> None:
    async with identified(root) as opened:
        ada = (await opened.user("ada", "pull *"))["Authorization"]
        twice = [("Authorization", ada), ("Authorization", ada)]

        for path in ("/v2/", f"/v2/{NAME}/tags/list", "/token"):
            refused(await opened.client.get(path, headers=twice), 400, "UNAUTHORIZED")


async def test_the_realm_is_the_external_url_whatever_the_request_says(root: Path) -> None:
    async with identified(root, external_url="https://registry.example") as opened:
        await opened.user("ada")
        headers = [
            ("Host", "evil.example"),
            ("X-Forwarded-Host", "evil.example"),
            ("X-Forwarded-Proto", "gopher"),
            ("Forwarded", "host=evil.example"),
        ]

        answer = await as_written(opened.client, "GET", "/v2/", headers=headers)

        assert challenged(answer).parameters["realm"] == "https://registry.example/token"
        assert "evil" not in str(answer.headers) + answer.text


async def realm(opened: Identified, *headers: tuple[str, str]) -> str:
    answer = await as_written(opened.client, "GET", "/v2/", headers=headers)
    assert set(challenged(answer).parameters) == {"realm", "service"}
    return challenged(answer).parameters["realm"]


@pytest.mark.parametrize(
    "host", ["registry.example", "registry.example:5000", "[::1]:5000", "192.0.2.1"]
)
async def test_ht_2_without_an_external_url_the_realm_is_the_requests_own_host(
    root: Path, host: str
) -> None:
    async with identified(root) as opened:
        await opened.user("ada")
        forwarded = ("X-Forwarded-Host", "evil.example")

        assert await realm(opened, ("Host", host), forwarded) == f"http://{host}/token"


def hostile() -> list[str]:
    return [
        *(
            'a"',
            'a",scope="repository:x:pull',
            'a\\"',
            "a\\",
            "a\r\nX-Evil: 1",
            "a\n",
            "a\0",
            "a b",
        ),
        *(
            "a\t",
            "a,b",
            "user@evil",
            "evil/path",
            "evil?query",
            "evil#part",
            "",
            "é.example",
            "%0d",
        ),
        *("a" * 300, "<script>", "evil;x", "'", "a=b"),
    ]


@pytest.mark.parametrize("number", range(len(hostile())))
async def test_ht_2_a_host_that_is_no_host_is_not_repeated(root: Path, number: int) -> None:
    async with identified(root) as opened:
        await opened.user("ada")

        found = await realm(opened, ("Host", hostile()[number]))

        assert found == "http://registry.test/token"


async def test_a_request_without_a_host_gets_the_servers_address(root: Path) -> None:
    async with identified(root) as opened:
        await opened.user("ada")

        assert await realm(opened) == "http://registry.test/token"


@pytest.mark.parametrize("name", ['a"b', "a\r\nX-Evil: 1", "a\\b", "A", "a/é", "a:b", "a b"])
async def test_ht_2_a_name_that_is_none_reaches_no_header(root: Path, name: str) -> None:
    async with identified(root) as opened:
        headers = await opened.user("ada", "pull *")

        for sent in (headers, {}):
            url = httpx2.URL(f"http://registry.test/v2/{name}/tags/list".replace("\r\n", "%0d%0a"))
            answer = await opened.client.get(url, headers=sent)
            assert answer.status_code == 400
            assert "x-evil" not in answer.headers
            assert "www-authenticate" not in answer.headers
