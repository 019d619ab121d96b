"""Secrets of tokens: their form, their checksum, and their stored hash."""

import hashlib
import re
import string
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.auth.secrets import ID_LENGTH, SECRET_LENGTH, TokenSecret, mint, parse_token

DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
digits = st.sampled_from(DIGITS)


def checksum(body: str) -> str:
    """The checksum, in other words: the number in base 62, six digits wide."""
    number = zlib.crc32(body.encode())
    return "".join(DIGITS[number // 62**place % 62] for place in reversed(range(6)))


def token_of(id: str, secret: str) -> str:
    body = f"slipway_{id}_{secret}"
    return f"{body}_{checksum(body)}"


texts = st.builds(
    token_of,
    st.text(digits, min_size=ID_LENGTH, max_size=ID_LENGTH),
    st.text(digits, min_size=SECRET_LENGTH, max_size=SECRET_LENGTH),
)
TEXT = token_of("0aZ" * 4, "x" * SECRET_LENGTH)


def test_a_new_token_has_the_form_that_scanners_look_for() -> None:
    token = mint()

    assert re.fullmatch(r"slipway_[0-9A-Za-z]{12}_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}", token.text)
    assert token.text.split("_")[1] == token.id
    assert parse_token(token.text) == token


def test_a_secret_has_256_bits() -> None:
    assert len(DIGITS) ** SECRET_LENGTH >= 2**256


def test_no_two_tokens_share_an_id_or_a_secret() -> None:
    minted = [mint() for _ in range(500)]

    assert len({token.id for token in minted}) == 500
    assert len({token.text.split("_")[2] for token in minted}) == 500


def test_every_character_of_the_alphabet_is_used() -> None:
    assert set("".join(mint().text.split("_")[2] for _ in range(200))) == set(DIGITS)


@given(texts)
def test_a_token_is_read_back(text: str) -> None:
    token = parse_token(text)

    assert token is not None
    assert (token.text, token.id) == (text, text.split("_")[1])


@given(texts, st.integers(0, len(TEXT) - 1), digits | st.characters())
def test_one_changed_character_makes_it_no_token(text: str, place: int, character: str) -> None:
    changed = text[:place] + character + text[place + 1 :]

    assert (parse_token(changed) is None) is (changed != text)


def test_each_single_change_of_one_token_is_noticed() -> None:
    changed = [
        TEXT[:place] + character + TEXT[place + 1 :]
        for place, found in enumerate(TEXT)
        for character in DIGITS + "_"
        if character != found
    ]

    assert len(changed) > 4000
    assert [text for text in changed if parse_token(text) is not None] == []


@given(texts, st.integers(0, len(TEXT) - 2))
def test_two_characters_in_the_other_order_make_it_no_token(text: str, place: int) -> None:
    changed = text[:place] + text[place + 1] + text[place] + text[place + 2 :]

    assert (parse_token(changed) is None) is (changed != text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "slipway", "slipway_", "hunter2", TEXT[:-1], TEXT + "0", TEXT + "\n", f" {TEXT}"),
        *(TEXT.upper(), TEXT.replace("slipway", "Slipway"), TEXT.replace("_", "-"), TEXT * 2),
        TEXT.replace("x", "\u0445"),
        TEXT.replace("0", "\u0660"),
        TEXT.replace("0", "\uff10"),
        token_of("0aZ" * 4, "x" * (SECRET_LENGTH + 1)),
        token_of("0aZ" * 3, "x" * SECRET_LENGTH),
        "slipway_" * 100_000,
    ],
)
def test_a_text_of_another_form_is_no_token(text: str) -> None:
    assert parse_token(text) is None


@given(st.text(max_size=100) | st.text("slipway_0", max_size=100))
def test_any_text_is_read_without_raising(text: str) -> None:
    assert parse_token(text) is None


@given(texts)
def test_the_hash_is_of_the_whole_text_and_stays_the_same(text: str) -> None:
    first, second = parse_token(text), parse_token(text)

    assert first is not None
    assert second is not None
    assert first.hash == second.hash == hashlib.sha256(text.encode()).hexdigest()
    assert first.is_of(second.hash)


def test_the_hash_of_stored_tokens_never_changes() -> None:
    token = parse_token(TEXT)

    assert token is not None
    assert TEXT == "slipway_0aZ0aZ0aZ0aZ_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx_2YAYds"
    assert token.hash == "cf015cd4df8379d5942cbc9c24bf5a8a09b72c83c879d85f053c0290115800b1"


@given(texts, texts)
def test_a_token_is_of_its_own_hash_alone(one: str, other: str) -> None:
    token, stored = TokenSecret("", one), TokenSecret("", other).hash

    assert token.is_of(stored) is (one == other)
    assert not token.is_of(token.hash.upper())
    assert not token.is_of(token.hash[:-1])
    assert not token.is_of("")


def test_lg_1_the_representation_shows_the_id_and_no_secret() -> None:
    token = mint()
    _, _, secret, last = token.text.split("_")

    assert token.id in repr(token)
    for hidden in (secret, last, token.hash):
        assert hidden not in repr(token)
        assert hidden not in str(token)
