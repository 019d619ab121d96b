"""Conditional requests: entity tags are read as RFC 9110 writes them."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from oci.digest import Digest
from oci.ranges import ByteRange, RangeNotSatisfiable
from oci.reference import Tag
from registry.api.conditions import (
    etag,
    is_not_modified,
    requested_ranges,
    require_match,
    require_none,
)
from registry.errors import PreconditionFailed

OURS, OTHER = Digest.of(b"ours"), Digest.of(b"other")
LATEST = Tag("latest")

# Characters of a tag between its quotes: commas too, and what looks like a tag of its own.
opaque = st.text(st.characters(min_codepoint=0x23, max_codepoint=0x7E), max_size=8) | st.just(
    f"a,{OURS},b"
)
unknown = st.builds('"{}"'.format, opaque) | st.sampled_from([str(OTHER), etag(OTHER)])
tags = st.tuples(st.booleans(), unknown | st.sampled_from([str(OURS), etag(OURS), "*"]))
spaces = st.text(" \t", max_size=2)


def header(entity_tags: Sequence[tuple[bool, str]], space: str) -> str:
    """The value of If-Match or If-None-Match: pairs of weak and a tag, in a list."""
    separator = f"{space},{space}"
    return separator.join(f"W/{tag}" if weak else tag for weak, tag in entity_tags)


def names_ours(entity_tags: Sequence[tuple[bool, str]], *, strongly: bool) -> bool:
    return any(
        tag in (str(OURS), etag(OURS), "*") and not (weak and strongly) for weak, tag in entity_tags
    )


def is_refused(name: str, value: str, found: Digest | None) -> bool:
    require = require_match if name == "if-match" else require_none
    try:
        require(Headers({name: value}), LATEST, found)
    except PreconditionFailed:
        return True
    return False


@given(st.lists(tags, max_size=4), spaces)
def test_if_match_takes_the_digest_among_strong_tags(
    entity_tags: list[tuple[bool, str]], space: str
) -> None:
    value = header(entity_tags, space)

    assert is_refused("if-match", value, OURS) != names_ours(entity_tags, strongly=True)
    assert is_refused("if-match", value, None), "no content has a tag"


@given(st.lists(tags, max_size=4), spaces)
def test_if_none_match_takes_the_digest_among_weak_tags_too(
    entity_tags: list[tuple[bool, str]], space: str
) -> None:
    value = header(entity_tags, space)
    expected = names_ours(entity_tags, strongly=False)

    assert is_refused("if-none-match", value, OURS) == expected
    assert is_not_modified(Headers({"if-none-match": value}), OURS) == expected
    assert not is_refused("if-none-match", value, None), "an absent tag may be pushed"


@given(st.text(st.characters(max_codepoint=0xFF, exclude_characters="*"), max_size=200))
def test_any_header_is_read_and_only_one_with_the_digest_names_it(value: str) -> None:
    assert not is_not_modified(Headers({"if-none-match": value}), OURS)
    assert is_refused("if-match", value, OURS)


@given(tags, st.integers(0, 20), st.integers(0, 20))
def test_if_range_of_other_content_asks_for_all_of_it(
    entity_tag: tuple[bool, str], start: int, size: int
) -> None:
    headers = Headers({"range": f"bytes={start}-", "if-range": header([entity_tag], "")})

    if not names_ours([entity_tag], strongly=True):
        assert requested_ranges(headers, OURS, size) is None
    elif start < size:
        assert requested_ranges(headers, OURS, size) == (ByteRange(start, size),)
    elif size:
        with pytest.raises(RangeNotSatisfiable):
            requested_ranges(headers, OURS, size)


@pytest.mark.parametrize("date", ["Sat, 29 Oct 1994 19:43:31 GMT", ""])
def test_a_date_matches_no_content(date: str) -> None:
    headers = Headers({"range": "bytes=0-0", "if-range": date})

    assert requested_ranges(headers, OURS, 5) is None
