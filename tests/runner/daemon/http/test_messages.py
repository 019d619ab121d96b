"""Bounds of a request's body and filters, before any handler sees them."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from runner.daemon.http.messages import Query, Request
from runner.errors import BadRequest
from runner.schema import ContainerOptions


def a_request(content: bytes) -> Request:
    async def body() -> AsyncIterator[bytes]:
        yield content

    return Request("POST", "/containers/create", (1, 44), Query.parse(""), {}, body())


@pytest.mark.parametrize(
    "content",
    [
        rb'{"Labels":{"a":"\ud800"}}',
        rb'{"Labels":{"\uDFFF":"a"}}',
        rb'{"Env":["A=\udc80b"]}',
        b'{"Labels":{"a":"\xed\xa0\x80"}}',
    ],
)
async def test_half_a_character_is_refused(content: bytes) -> None:
    # Once in a container's labels, it would make every list of containers fail.
    with pytest.raises(BadRequest, match=r"surrogate|not JSON"):
        await a_request(content).json()


async def test_a_whole_surrogate_pair_is_a_character() -> None:
    assert await a_request(rb'{"a":"\ud83d\udea2"}').json() == {"a": "\N{SHIP}"}


@pytest.mark.parametrize("values", [5, True, "name", 1.5])
def test_a_filter_that_is_no_list_is_refused(values: object) -> None:
    query = Query({"filters": [json.dumps({"label": values})]})

    with pytest.raises(BadRequest, match="expected a list"):
        query.filters()


@pytest.mark.parametrize(
    "document",
    [
        {"StopTimeout": 10**30},
        {"HostConfig": {"NanoCpus": 2**63}},
        {"HostConfig": {"MemorySwap": -(2**63) - 1}},
    ],
)
def test_a_number_that_nobody_after_us_could_read_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match="64 bits"):
        ContainerOptions.from_json({"Image": "app", **document})


def test_many_mounts_are_looked_through_once() -> None:
    # Compared each with each, this many took minutes, and the daemon answered nobody meanwhile.
    tmpfs = {f"/{number}": "" for number in range(100_000)}

    options = ContainerOptions.from_json({"Image": "app", "HostConfig": {"Tmpfs": tmpfs}})

    assert len(options.mounts) == 100_000
