"""RegistryRequest: parameters of a request, and its body up to a limit."""

from typing import Any, cast

import pytest
from starlette.requests import ClientDisconnect

from oci.digest import InvalidDigest
from registry.api.access import Authorizer
from registry.api.errors import QueryInvalid
from registry.api.held_bytes import HeldBytes, Hold
from registry.api.requests import MAX_PAGE, Chunk, RegistryRequest
from registry.background import BackgroundTasks
from registry.errors import SizeInvalid, TooLarge

# No request here asks who its caller is.
AUTHORIZER = cast(Authorizer, None)


def a_request(
    query: str = "", *parts: bytes, is_complete: bool = True, **headers: str
) -> RegistryRequest:
    """A request with this body, in these parts; without ``is_complete`` its client goes away."""
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": part, "more_body": True} for part in parts
    ]
    messages.append({"type": "http.request" if is_complete else "http.disconnect"})

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/v2/",
        "query_string": query.encode(),
        "headers": [
            (name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()
        ],
    }
    return RegistryRequest(scope, receive, AUTHORIZER, BackgroundTasks(), Hold(HeldBytes()))


@pytest.mark.parametrize(
    ("query", "n"),
    [
        ("", None),
        ("n=", None),
        ("n=0", 0),
        ("n=7", 7),
        (f"n={MAX_PAGE + 1}", MAX_PAGE),
        ("n=" + "9" * 30, MAX_PAGE),
    ],
)
def test_ds_2_the_size_of_a_page_is_clamped(query: str, n: int | None) -> None:
    assert a_request(query).page_size == n


@pytest.mark.parametrize("query", ["n=-1", "n=1.5", "n=x", "n=1&n=2", "n=%D9%A3"])
def test_any_other_size_of_a_page_is_refused(query: str) -> None:
    with pytest.raises(QueryInvalid):
        _ = a_request(query).page_size


def test_the_algorithm_is_sha256_unless_the_client_asks_for_another_that_is_known() -> None:
    assert a_request().algorithm == "sha256"
    assert a_request("digest-algorithm=sha512").algorithm == "sha512"
    with pytest.raises(InvalidDigest, match="digest-algorithm is 'md5'"):
        _ = a_request("digest-algorithm=md5").algorithm


def test_a_chunk_has_the_place_that_its_headers_agree_on() -> None:
    assert a_request().chunk == Chunk(None, None)
    assert a_request(content_length="5").chunk == Chunk(None, 5)
    assert a_request(content_range="10-14").chunk == Chunk(10, 5)
    assert a_request(content_range="10-14", content_length="5").chunk == Chunk(10, 5)
    with pytest.raises(SizeInvalid):
        _ = a_request(content_range="10-14", content_length="6").chunk


async def test_a_body_is_read_up_to_its_limit() -> None:
    assert await a_request("", b"ab", b"", b"c").read(3) == b"abc"
    for request in (a_request("", b"ab", b"cd"), a_request("", b"", content_length="4")):
        with pytest.raises(TooLarge):
            await request.read(3)


async def test_a_body_that_its_client_leaves_unfinished_is_none() -> None:
    request = a_request("", b"ab", is_complete=False)

    with pytest.raises(ClientDisconnect):
        await request.read(3)
