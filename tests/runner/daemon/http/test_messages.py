"""Bounds of a request's body and filters, before any handler sees them."""

import json
import sys
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.daemon.http.messages import MAX_DEPTH, Query, Request
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


# Halves of surrogate pairs too.
CHARACTERS = st.text(max_size=5) | st.just("\ud800")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | CHARACTERS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(CHARACTERS, inner),
    max_leaves=8,
)
FILTERS = st.dictionaries(
    st.text(), st.lists(st.text()) | st.dictionaries(st.text(), st.just(True)) | st.none()
)


@given(
    st.text(max_size=60)
    | JSON.map(json.dumps)
    | st.dictionaries(CHARACTERS, st.lists(CHARACTERS)).map(json.dumps)
)
def test_any_filters_are_lists_of_strings_or_refused(text: str) -> None:
    try:
        found = Query.parse(urlencode({"filters": text})).filters()
    except BadRequest as refusal:
        assert str(refusal).startswith("filters: ")
        return

    assert all(isinstance(each, str) for key, values in found.items() for each in (key, *values))
    json.dumps(found, ensure_ascii=False).encode()


@given(FILTERS)
def test_filters_are_read_in_both_forms(
    filters: dict[str, list[str] | dict[str, bool] | None],
) -> None:
    query = Query.parse(urlencode({"filters": json.dumps(filters)}))

    assert query.filters() == {key: list(values or ()) for key, values in filters.items()}


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, sys.getrecursionlimit() // 2, 100_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
async def test_a_body_that_is_nested_too_deeply_is_refused(
    depth: int, opening: str, closing: str
) -> None:
    # A surrogate pair is looked for in all that is nested.
    innermost = r'"\ud83d\udea2"'

    with pytest.raises(BadRequest, match=r"body: .*nested too deeply"):
        await a_request((opening * depth + innermost + closing * depth).encode()).json()


async def test_a_body_may_be_nested_as_deeply_as_said() -> None:
    content = b'{"a":' * MAX_DEPTH + b"1" + b"}" * MAX_DEPTH

    assert await a_request(content).json()


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
