"""Credentials: parsing the Authorization header (AN-4)."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.auth.credentials import (
    MAX_PASSWORD,
    MAX_USER,
    BasicCredentials,
    BearerToken,
    CredentialsInvalid,
    CredentialsRepeated,
    parse_credentials,
)


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


def test_no_header_is_no_credentials() -> None:
    assert parse_credentials([]) is None


@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC"])
def test_a_user_and_a_password_are_read(scheme: str) -> None:
    header = basic("user:pass:word").replace("Basic", scheme)

    assert parse_credentials([header]) == BasicCredentials("user", "pass:word")


@pytest.mark.parametrize("token", ["x", "eyJhbGciOiJSUzI1NiJ9.e30.c2ln", "abc/+=="])
def test_a_token_is_read(token: str) -> None:
    assert parse_credentials([f"bearer {token}"]) == BearerToken(token)
    assert token not in repr(BearerToken(token)).removeprefix("BearerToken")


def test_lg_1_a_password_is_not_in_the_representation() -> None:
    assert "hunter2" not in repr(parse_credentials([basic("user:hunter2")]))


def test_an_4_two_headers_are_refused_even_when_they_agree() -> None:
    with pytest.raises(CredentialsRepeated) as caught:
        parse_credentials([basic("a:b"), basic("a:b")])

    assert caught.value.status == 400


@pytest.mark.parametrize(
    "text", ["no colon", ":no user", "a\0:b", "a:b\n", "a\r:b", "u" * 257 + ":p", "u:" + "p" * 1025]
)
def test_an_4_malformed_authorization_is_refused(text: str) -> None:
    with pytest.raises(CredentialsInvalid):
        parse_credentials([basic(text)])


@pytest.mark.parametrize(
    "header",
    ["", "Basic", "Basic a", "Basic YTpi=", "Basic YT pi", "Bearer", "Bearer a b", "Bearer =a"],
)
def test_an_4_credentials_in_lax_base64_are_refused(header: str) -> None:
    with pytest.raises(CredentialsInvalid):
        parse_credentials([header])


@given(
    st.text(
        st.characters(exclude_characters=":\0\r\n", codec="utf-8"), min_size=1, max_size=MAX_USER
    ),
    st.text(st.characters(exclude_characters="\0\r\n", codec="utf-8"), max_size=MAX_PASSWORD),
)
def test_the_bytes_sent_are_the_bytes_read(user: str, password: str) -> None:
    assert parse_credentials([basic(f"{user}:{password}")]) == BasicCredentials(user, password)


@given(st.text(max_size=200))
def test_any_header_is_read_or_refused(text: str) -> None:
    try:
        found = parse_credentials([text])
    except CredentialsInvalid as refusal:
        assert str(refusal)
    else:
        assert found is not None
