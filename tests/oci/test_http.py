import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci.digest import InvalidDigest
from oci.http import (
    Challenge,
    ErrorEntry,
    InvalidChallenge,
    InvalidLink,
    InvalidNumber,
    encode_entries,
    encode_errors,
    format_link,
    parse_challenge,
    parse_digits,
    parse_errors,
    parse_link,
)
from tests.support.calls import count_calls


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


@given(
    st.lists(
        st.builds(
            ErrorEntry, st.text(), st.text(), st.none() | st.dictionaries(st.text(), st.text())
        )
    )
)
def test_every_envelope_reads_back(entries: list[ErrorEntry]) -> None:
    assert parse_errors(encode_entries(entries)) == tuple(entries)


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b'{"errors": 5}', b'{"errors": [5]}', b"<html>", b"[" * 100_000]
)
def test_another_servers_body_says_nothing(body: bytes) -> None:
    assert parse_errors(body) == ()
