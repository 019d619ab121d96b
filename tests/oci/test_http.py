import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci.digest import InvalidDigest
from oci.http import (
    ByteRange,
    Challenge,
    ErrorEntry,
    InvalidChallenge,
    InvalidContentRange,
    InvalidLink,
    InvalidNumber,
    RangeNotSatisfiable,
    encode_errors,
    format_link,
    format_upload_range,
    parse_challenge,
    parse_content_range,
    parse_digits,
    parse_errors,
    parse_link,
    parse_range,
)
from tests.support.calls import count_calls


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-9", [(0, 10)]),
        ("bytes=500-", [(500, 1000)]),
        ("bytes=-500", [(500, 1000)]),
        ("bytes=-5000", [(0, 1000)]),
        ("bytes=990-5000", [(990, 1000)]),
        ("Bytes=0-0, 5-9", [(0, 1), (5, 10)]),
        ("bytes=5-9,0-0", [(5, 10), (0, 1)]),
        ("bytes=0-9,10-19", [(0, 10), (10, 20)]),
        ("bytes=0-9,5-19", [(0, 20)]),
        ("bytes=0-9,2000-", [(0, 10)]),
    ],
)
def test_a_range_is_cut_to_the_content(header: str, expected: list[tuple[int, int]]) -> None:
    assert parse_range(header, 1000) == tuple(ByteRange(*pair) for pair in expected)


@pytest.mark.parametrize(
    "header",
    [
        *("", "bytes", "items=0-9", "bytes=", "bytes=a-b", "bytes=-", "bytes=0-9,", "bytes=+0-9"),
        *("bytes=0-9;", "bytes=\N{ARABIC-INDIC DIGIT ONE}-9", "bytes=1_0-20", "bytes=0--9"),
    ],
)
def test_what_is_not_the_grammar_is_ignored(header: str) -> None:
    assert parse_range(header, 1000) is None


@pytest.mark.parametrize("header", ["bytes=1000-", "bytes=500-0", "bytes=-0", "bytes=2000-3000"])
def test_a_range_outside_the_content_is_refused(header: str) -> None:
    with pytest.raises(RangeNotSatisfiable, match="lies outside the content of 1000 bytes") as it:
        parse_range(header, 1000)

    assert it.value.status == 416
    assert it.value.size == 1000


@pytest.mark.parametrize("header", ["bytes=-5", "bytes=0-", "bytes=0-0", "bytes=5-9", "bytes=-0"])
def test_any_range_of_nothing_is_the_whole(header: str) -> None:
    assert parse_range(header, 0) is None


def test_ht_4_ten_thousand_ranges_cost_nothing() -> None:
    header = "bytes=" + ",".join(f"{n}-{n}" for n in range(0, 20_000, 2))

    calls = count_calls(lambda: parse_range(header, 1_000_000))

    assert parse_range(header, 1_000_000) is None
    assert calls < 100


def test_ht_4_sixteen_parts_are_served_and_seventeen_are_not() -> None:
    def header(parts: int) -> str:
        return "bytes=" + ",".join(f"{10 * n}-{10 * n}" for n in range(parts))

    assert len(parse_range(header(16), 1000) or ()) == 16
    assert parse_range(header(17), 1000) is None


@given(
    st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=8),
    st.integers(1, 100),
)
def test_the_parts_cover_exactly_what_was_asked(pairs: list[tuple[int, int]], size: int) -> None:
    pairs = [(min(pair), max(pair)) for pair in pairs]
    wanted = {n for first, last in pairs for n in range(first, last + 1) if n < size}
    header = "bytes=" + ",".join(f"{first}-{last}" for first, last in pairs)

    try:
        ranges = parse_range(header, size) or ()
    except RangeNotSatisfiable:
        ranges = ()

    served = [n for part in ranges for n in range(part.start, part.stop)]
    assert sorted(served) == sorted(wanted)


def test_a_part_says_where_it_is_from() -> None:
    assert ByteRange(0, 10).content_range(100) == "bytes 0-9/100"
    assert ByteRange(5, 10).size == 5


@given(st.integers(0, 2**62), st.integers(0, 2**61))
def test_a_content_range_survives_the_wire(start: int, length: int) -> None:
    assert parse_content_range(f"{start}-{start + length}") == ByteRange(start, start + length + 1)


@pytest.mark.parametrize(
    "text", ["", "0", "-", "0-", "5-4", "bytes=0-4", "0-4/5", " 0-4", "0-4\n", "a-b", "9" * 30]
)
def test_a_content_range_is_two_numbers(text: str) -> None:
    with pytest.raises(InvalidContentRange, match="invalid Content-Range"):
        parse_content_range(text)


def test_an_upload_says_how_much_it_holds() -> None:
    assert format_upload_range(100) == "0-99"
    assert format_upload_range(0) == "0-0"
    assert format_upload_range(0, empty="0--1") == "0--1"


@given(st.integers(0, 2**63 - 1))
def test_digits_survive_the_wire(number: int) -> None:
    assert parse_digits(str(number)) == number


@pytest.mark.parametrize(
    "text", ["", "+5", "-1", " 5", "5 ", "1_000", "0x5", "5\n", "\u0661", str(2**63), "9" * 5000]
)
def test_in_1_a_number_is_ascii_digits_within_bounds(text: str) -> None:
    with pytest.raises(InvalidNumber, match="expected digits"):
        parse_digits(text)


token = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,8}", fullmatch=True)
quotable = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)
challenges = st.builds(
    Challenge, token, st.dictionaries(token.map(str.lower), quotable, min_size=1, max_size=4)
)


@given(st.lists(challenges, min_size=1, max_size=3))
def test_challenges_survive_the_wire(expected: list[Challenge]) -> None:
    header = ", ".join(challenge.format() for challenge in expected)

    assert list(parse_challenge(header)) == expected


def test_a_challenge_may_be_a_scheme_alone_or_carry_a_token() -> None:
    assert parse_challenge("Negotiate, Basic realm=x") == (
        Challenge("Negotiate"),
        Challenge("Basic", {"realm": "x"}),
    )
    assert parse_challenge("NTLM abc==") == (Challenge("NTLM", {"token68": "abc=="}),)


@pytest.mark.parametrize("header", ["=", 'Bearer realm="x', 'Bearer "x"', "\n"])
def test_a_broken_challenge_is_refused(header: str) -> None:
    with pytest.raises(InvalidChallenge, match=r"invalid challenge .*: expected"):
        parse_challenge(header)


@given(st.text(max_size=60))
def test_any_header_is_challenges_or_is_refused(header: str) -> None:
    try:
        assert all(challenge.scheme for challenge in parse_challenge(header))
    except InvalidChallenge as refusal:
        assert "expected" in str(refusal)


@pytest.mark.parametrize(
    "piece", ['a="' + "\\" * 1000, "a ", "a=b,", ",", 'a b="c",', '<a>;b="c",']
)
def test_a_hostile_header_costs_linear_time(piece: str) -> None:
    # Half a million characters: what is quadratic in them does not end within a test's time.
    header = piece * (500_000 // len(piece))

    def parse() -> None:
        with suppress(InvalidChallenge):
            parse_challenge(header)
        with suppress(InvalidLink):
            parse_link(header)

    assert count_calls(parse) < 10 * len(header)


targets = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="<>"))


@given(targets)
def test_a_link_survives_the_wire(target: str) -> None:
    assert parse_link(format_link(target)) == target


def test_the_next_page_is_found_among_others() -> None:
    assert parse_link('</1>; rel=prev, </2>; title="a, b"; rel="last next"') == "/2"
    assert parse_link("</1>; rel=prev") is None
    assert parse_link("") is None


@pytest.mark.parametrize("header", ["/2; rel=next", "<", "<a", "garbage"])
def test_a_broken_link_is_refused(header: str) -> None:
    with pytest.raises(InvalidLink, match="expected <target>; rel="):
        parse_link(header)


def test_the_envelope_tells_the_sentence_and_reads_back() -> None:
    errors = [InvalidDigest("invalid digest 'x': expected algorithm:encoded", detail={"at": 1})]

    body = encode_errors(errors)

    assert json.loads(body)["errors"][0]["code"] == "DIGEST_INVALID"
    assert parse_errors(body) == (ErrorEntry("DIGEST_INVALID", str(errors[0]), {"at": 1}),)


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b'{"errors": 5}', b'{"errors": [5]}', b"<html>", b"[" * 100_000]
)
def test_another_servers_body_says_nothing(body: bytes) -> None:
    assert parse_errors(body) == ()
