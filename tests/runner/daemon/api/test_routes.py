"""The table of endpoints, beside the specification's, and the rules of versions."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import cast

import pytest

from runner.daemon.api.routes import ENDPOINTS, router, split_version
from runner.daemon.http.messages import Query, Request, Response
from runner.daemon.services import Services
from runner.errors import BadRequest, NotFound

# Engine API v1.44, the paths of what this version offers and the method of each.
SPECIFIED = """
/auth post
/_ping get head
/containers/create post
/containers/json get
/containers/prune post
/containers/{id} delete
/containers/{id}/attach post
/containers/{id}/exec post
/containers/{id}/json get
/containers/{id}/kill post
/containers/{id}/logs get
/containers/{id}/pause post
/containers/{id}/rename post
/containers/{id}/resize post
/containers/{id}/restart post
/containers/{id}/start post
/containers/{id}/stop post
/containers/{id}/top get
/containers/{id}/unpause post
/containers/{id}/wait post
/events get
/exec/{id}/json get
/exec/{id}/resize post
/exec/{id}/start post
/images/create post
/images/get get
/images/json get
/images/load post
/images/prune post
/images/{name} delete
/images/{name}/get get
/images/{name}/history get
/images/{name}/json get
/images/{name}/push post
/images/{name}/tag post
/info get
/system/df get
/version get
/volumes get
/volumes/create post
/volumes/prune post
/volumes/{name} delete get
"""


def test_every_endpoint_is_the_specifications() -> None:
    specified = {
        (method.upper(), path)
        for path, *methods in (line.split() for line in SPECIFIED.strip().splitlines())
        for method in methods
    }

    assert {(endpoint.method, endpoint.path) for endpoint in ENDPOINTS} == specified
    assert len(ENDPOINTS) == len(specified)


@pytest.mark.parametrize(
    ("path", "version", "rest"),
    [
        ("/info", (1, 44), "/info"),
        ("/v1.44/info", (1, 44), "/info"),
        ("/v1.22/images/v1.40/json", (1, 22), "/images/v1.40/json"),
        ("/version", (1, 44), "/version"),
        ("/v1.44", (1, 44), "/v1.44"),
    ],
)
def test_the_version_is_a_prefix(path: str, version: tuple[int, int], rest: str) -> None:
    assert split_version(path) == (version, rest)


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/v1.21/info", "client version 1.21 is too old. Minimum supported API version is 1.22"),
        ("/v1.45/info", "client version 1.45 is too new. Maximum supported API version is 1.44"),
        ("/v2.0/info", "client version 2.0 is too new"),
    ],
)
def test_other_versions_are_refused(path: str, sentence: str) -> None:
    with pytest.raises(BadRequest, match=re.escape(sentence)):
        split_version(path)


# No handler that is reached here calls a service.
NO_SERVICES = cast(Services, None)


async def nothing() -> AsyncIterator[bytes]:
    chunks: tuple[bytes, ...] = ()
    for chunk in chunks:
        yield chunk


def request(method: str, path: str) -> Request:
    return Request(method, path, (0, 0), Query.parse(""), {}, nothing())


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("GET", "/images/127.0.0.1:5000/a/b:tag/json", "127.0.0.1:5000/a/b:tag"),
        ("GET", "/v1.40/images/a%2Fb/json", "a/b"),
        ("GET", "/images/json/json", "json"),
        ("POST", "/images/push/push", "push"),
        ("DELETE", "/images/h.test/a/json", "h.test/a/json"),
    ],
)
async def test_names_of_images_have_slashes(
    method: str, path: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    async def handler(services: object, asked: Request) -> Response:
        seen.append(asked.parameters["name"])
        return Response()

    rows = tuple(
        replace(row, handler=handler) if "{name}" in row.path else row for row in ENDPOINTS
    )
    monkeypatch.setattr("runner.daemon.api.routes.ENDPOINTS", rows)
    await router(NO_SERVICES)(request(method, path))

    assert seen == [name]


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/"), ("PUT", "/info"), ("POST", "/build"), ("POST", "/containers//start")],
)
async def test_an_endpoint_that_is_not_offered_is_not_found_and_says_so(
    method: str, path: str
) -> None:
    with pytest.raises(NotFound, match=f"page not found: {method} {path} is not part of"):
        await router(NO_SERVICES)(request(method, path))
