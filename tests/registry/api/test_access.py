"""Access: every endpoint, under every policy, for callers without an identity."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from oci.digest import Digest
from registry.api import access
from registry.api.routes import ENDPOINTS, Endpoint
from registry.config import Anonymous
from tests.registry.api.conftest import Opener
from tests.support.images import an_image
from tests.support.registry.wire import NAME, envelope, push_blob, push_image, refused, start

IMAGE = an_image()
LOOSE = b"a blob that no manifest names"
UNKNOWN = Digest.of(b"never pushed")

UPLOAD = re.compile(r"/blobs/uploads/[^/]*$")

GRANTS: list[Anonymous] = ["none", "pull", "push"]


def may(anonymous: str, method: str, path: str) -> bool:
    """The oracle, written from the policy's description and not from the table."""
    if path in ("/healthz", "/readyz", "/token"):
        return True
    if anonymous == "none":
        return False
    if method in ("POST", "PUT", "PATCH", "DELETE") or UPLOAD.search(path):
        return anonymous == "push"
    return True


@dataclass(frozen=True)
class Cell:
    """One request of the matrix."""

    method: str
    path: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def cells() -> list[Cell]:
    """Every endpoint, with every form of name and reference; HEAD wherever there is GET."""
    found = []
    for endpoint in ENDPOINTS:
        methods = [endpoint.method] + (["HEAD"] if endpoint.method == "GET" else [])
        for name in (NAME, "no/such/repository", "blobs/uploads/manifests"):
            for path in forms(endpoint, name):
                found += [Cell(method, path) for method in methods]
    return sorted(set(found), key=str)


def forms(endpoint: Endpoint, name: str) -> list[str]:
    path = endpoint.path.replace("{name}", name)
    blob = Digest.of(LOOSE)
    match path:
        case _ if "{digest}" in path:
            return [path.replace("{digest}", str(digest)) for digest in (blob, UNKNOWN)]
        case _ if "{reference}" in path:
            references = ["latest", "absent", str(IMAGE.digest), f"{IMAGE.digest}?tag=a&tag=b"]
            return [path.replace("{reference}", reference) for reference in references]
        case _ if "{session}" in path:
            return [path.replace("{session}", "00000000-0000-4000-8000-000000000000")]
        case _ if path.endswith("/uploads/"):
            mount = f"?mount={blob}"
            queries = ["", f"?digest={blob}", mount, f"{mount}&from={NAME}", f"{mount}&from=x"]
            return [path + query for query in (*queries, "?digest-algorithm=sha512")]
        case _:
            return [path]


@pytest.mark.parametrize("anonymous", GRANTS)
async def test_az_1_every_endpoint_follows_the_policy(
    open_registry: Opener, anonymous: Anonymous
) -> None:
    async with open_registry("push") as client:
        await push_image(client, IMAGE)
        await push_blob(client, LOOSE)
    wrong = []

    async with open_registry(anonymous) as client:
        for cell in cells():
            answer = await client.request(cell.method, cell.path)
            allowed = answer.status_code != 401
            if allowed != may(anonymous, cell.method, cell.path):
                wrong.append(f"{cell}: {answer.status_code}")

    assert not wrong
    assert len(cells()) > 100


async def test_az_1_the_matrix_has_every_endpoint() -> None:
    patterns = {
        (endpoint.method, re.sub(r"\\{\w+\\}", "[^?]+", re.escape(endpoint.path)))
        for endpoint in ENDPOINTS
    }

    for method, pattern in patterns:
        assert any(
            cell.method == method and re.fullmatch(pattern, cell.path.partition("?")[0])
            for cell in cells()
        ), (method, pattern)


async def test_az_1_a_refused_request_changes_nothing(open_registry: Opener) -> None:
    async with open_registry("push") as client:
        await push_image(client, IMAGE)
        session = await start(client)

    async with open_registry("pull") as client:
        for cell in cells():
            if not may("pull", cell.method, cell.path):
                await client.request(cell.method, cell.path, content=LOOSE)
        await client.patch(session, content=b"evil")

    async with open_registry("push") as client:
        assert (await client.get("/v2/_catalog")).json() == {"repositories": [NAME]}
        assert (await client.get(f"/v2/{NAME}/tags/list")).json()["tags"] == ["latest"]
        assert (await client.head(f"/v2/{NAME}/blobs/{Digest.of(LOOSE)}")).status_code == 404
        assert (await client.get(session)).headers["range"] == "0--1"


@pytest.mark.parametrize("anonymous", ["none", "pull"])
async def test_insufficient_access_is_401_with_a_challenge_and_never_403(
    open_registry: Opener, anonymous: Anonymous
) -> None:
    async with open_registry(anonymous) as client:
        answer = await client.post(f"/v2/{NAME}/blobs/uploads/")

    message = refused(answer, 401, "UNAUTHORIZED")["message"]
    assert answer.headers["www-authenticate"] == (
        'Bearer realm="http://registry.test/token",service="slipway",'
        f'scope="repository:{NAME}:pull,push"'
    )
    assert answer.headers["docker-distribution-api-version"] == "registry/2.0"
    assert "nobody can sign in yet" in message


async def test_login_without_identities_is_refused_with_a_reason(open_registry: Opener) -> None:
    async with open_registry("none") as client:
        answer = await client.get("/v2/", auth=("someone", "secret"))

    refused(answer, 401, "UNAUTHORIZED")
    assert "secret" not in answer.text


async def test_authorization_comes_before_the_body_is_read(open_registry: Opener) -> None:
    was_read = False

    async def body() -> AsyncIterator[bytes]:
        nonlocal was_read
        was_read = True
        yield b"evil"

    async with open_registry("pull") as client:
        answer = await client.put(f"/v2/{NAME}/manifests/latest", content=body())

    assert answer.status_code == 401
    assert not was_read


async def test_an_4_more_than_one_authorization_header_is_refused(
    client: httpx2.AsyncClient,
) -> None:
    headers = [("Authorization", "Basic YTpi"), ("Authorization", "Basic YTpi")]

    refused(await client.get("/v2/", headers=headers), 400, "UNAUTHORIZED")


@pytest.mark.parametrize(
    "header",
    [
        *("Basic", "Basic !!!!", "Basic YTpi YTpi", "Basic YWI=", "Basic YTpi\tx", "Basic OmI="),
        *("Bearer", "Bearer a b", "Digest x", "Basic YQA6Yg==", "Basic YTpiDQo=", "Basic /zpi"),
        *(f"Basic {'YTpi' * 1000}", "Basic Y!Tpi"),
    ],
)
async def test_an_4_impossible_credentials_are_refused(
    client: httpx2.AsyncClient, header: str
) -> None:
    answer = await client.get("/v2/", headers={"Authorization": header})

    refused(answer, 401, "UNAUTHORIZED")
    assert "www-authenticate" in answer.headers


@pytest.mark.parametrize("token", ["eyJhbGciOiJSUzI1NiJ9.e30.c2ln", "abc/+=="])
async def test_a_stale_token_does_not_reduce_anonymous_access(
    open_registry: Opener, token: str
) -> None:
    headers = {"Authorization": f"Bearer {token}"}

    async with open_registry(anonymous="pull") as client:
        assert (await client.get("/v2/", headers=headers)).status_code == 200
        found = await client.get(f"/v2/{NAME}/tags/list", headers=headers)
        refused(found, 404, "NAME_UNKNOWN")
        pushed = await client.post(f"/v2/{NAME}/blobs/uploads/", headers=headers)

    refused(pushed, 401, "UNAUTHORIZED")
    assert "www-authenticate" in pushed.headers


def test_az_1_a_row_without_access_fails_at_import() -> None:
    row = ENDPOINTS[0]

    with pytest.raises(ValueError, match="is not an access"):
        Endpoint("end-99", "GET", "/v2/new", "", row.handler)  # type: ignore[arg-type]  # the point


def test_az_1_only_the_authorizer_makes_a_handle() -> None:
    """Of all modules of the wire, one calls ``Registry.repository``."""
    callers = [
        path.name
        for path in Path(access.__file__).parent.glob("*.py")
        if re.search(r"\.repository\(", path.read_text())
    ]

    assert callers == ["access.py"]


async def test_az_8_answers_that_depend_on_access_are_not_for_shared_caches(
    client: httpx2.AsyncClient,
) -> None:
    await push_image(client, IMAGE)
    blob = IMAGE.layers[0].descriptor.digest

    for cell in (
        *("/v2/_catalog", f"/v2/{NAME}/tags/list", f"/v2/{NAME}/referrers/{IMAGE.digest}"),
        *(f"/v2/{NAME}/manifests/latest", f"/v2/{NAME}/manifests/{IMAGE.digest}"),
        f"/v2/{NAME}/blobs/{blob}",
    ):
        answer = await client.get(cell)
        assert answer.status_code == 200
        assert answer.headers["cache-control"].startswith("private, "), cell


async def test_az_10_access_taken_away_is_gone_with_the_next_request(
    open_registry: Opener,
) -> None:
    async with open_registry("push") as client:
        await push_image(client, IMAGE)
        seen = await client.get(f"/v2/{NAME}/manifests/latest")

    async with open_registry("none") as client:
        conditions = {"If-None-Match": seen.headers["etag"]}
        answer = await client.get(f"/v2/{NAME}/manifests/latest", headers=conditions)

    refused(answer, 401, "UNAUTHORIZED")
    assert envelope(answer)
