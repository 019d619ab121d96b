"""Credentials: the X-Registry-Auth header, read back."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.credentials import Credentials, CredentialsInvalid

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)
NAMES = st.text(st.characters(codec="utf-8", exclude_characters=":\0"), min_size=1, max_size=30)


@given(NAMES, TEXT, TEXT)
def test_a_header_reads_back(username: str, password: str, token: str) -> None:
    credentials = Credentials(username, password, identity_token=token)

    assert Credentials.from_header(credentials.to_header("registry.test")) == credentials


@given(NAMES, TEXT)
def test_an_entry_reads_back(username: str, password: str) -> None:
    credentials = Credentials(username, password)

    assert Credentials.from_entry(credentials.to_entry(), "file") == credentials


@pytest.mark.parametrize("header", ["", "e30=", "e30", "bnVsbA=="])
def test_a_header_that_says_nothing_is_nobody(header: str) -> None:
    assert not Credentials.from_header(header)


def test_padding_may_be_missing_and_the_alphabet_is_the_urls() -> None:
    text = base64.urlsafe_b64encode(b'{"username":"a","password":"?>?>"}').decode().rstrip("=")

    assert Credentials.from_header(text) == Credentials("a", "?>?>")


@pytest.mark.parametrize("broken", ["{0}\n{1}", "{0}\r\n{1}\r\n", " {0}{1} "])
def test_an_auth_may_be_broken_into_lines(broken: str) -> None:
    text = base64.b64encode(b"me:a long password").decode()

    found = Credentials.from_entry({"auth": broken.format(text[:9], text[9:])}, "auths")

    assert found == Credentials("me", "a long password")


@pytest.mark.parametrize("header", ["%%%", "YWJj", "WzFd", "eyJ1c2VybmFtZSI6M30="])
def test_any_other_header_is_refused(header: str) -> None:
    with pytest.raises(CredentialsInvalid, match="X-Registry-Auth"):
        Credentials.from_header(header)


TOKENS = st.text(st.characters(codec="ascii"), max_size=60)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10) | st.just("\ud800"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["username", "password", "auth", "x"]), inner)
    ),
    max_leaves=6,
)
DOCUMENTS = JSON.map(json.dumps) | st.integers(1, 5_000).map(lambda depth: "[" * depth)


@given(st.text() | TOKENS | DOCUMENTS.map(str.encode).map(base64.b64encode).map(bytes.decode))
def test_any_header_is_credentials_or_refused(header: str) -> None:
    try:
        credentials = Credentials.from_header(header, "registry.test")
    except CredentialsInvalid as refusal:
        assert str(refusal).startswith("X-Registry-Auth")
        return

    assert Credentials.from_header(credentials.to_header("")) == credentials
    # They are sent as UTF-8.
    f"{credentials.username}:{credentials.password}{credentials.identity_token}".encode()


@pytest.mark.parametrize(
    ("meant", "host", "kept"),
    [
        ("registry.test:5000", "registry.test:5000", True),
        ("https://registry.test:5000/v2/", "registry.test:5000", True),
        ("https://index.docker.io/v1/", "docker.io", True),
        ("Registry.Test", "registry.test", True),
        ("", "registry.test", True),
        ("registry.test:5000", "registry.test", False),
        ("https://index.docker.io/v1/", "127.0.0.1:5000", False),
        ("registry.test", "Evil", False),
        ("registry.test.evil", "registry.test", False),
    ],
)
def test_credentials_for_another_server_are_nobodys(meant: str, host: str, kept: bool) -> None:
    header = Credentials("me", "secret").to_header(meant)

    assert bool(Credentials.from_header(header, host)) is kept


def header(document: bytes) -> str:
    return base64.urlsafe_b64encode(document).decode()


@pytest.mark.parametrize(
    "document",
    [
        b"[" * 4000,
        b'{"username":' * 4000,
        b'{"username":"\\ud800","password":"p"}',
        b'{"username":"me","password":"\\udfff"}',
        b'{"username":' + b"1" * 5000 + b"}",
        b'{"username":"\xff"}',
        '{"registrytoken":"t\xf6ken"}'.encode(),
        b'{"registrytoken":"a\\r\\nHost: evil.test"}',
    ],
)
def test_a_header_that_could_not_be_sent_on_is_refused(document: bytes) -> None:
    with pytest.raises(CredentialsInvalid, match="X-Registry-Auth"):
        Credentials.from_header(header(document))


@given(
    st.binary(max_size=60)
    | st.fixed_dictionaries(
        {},
        optional={
            key: st.text(max_size=10) | st.none() | st.integers()
            for key in ("username", "password", "auth", "identitytoken", "registrytoken")
        },
    ).map(lambda document: json.dumps(document).encode())
)
def test_any_header_gives_credentials_that_can_be_sent_or_is_refused(document: bytes) -> None:
    try:
        found = Credentials.from_header(header(document))
    except CredentialsInvalid:
        return
    f"{found.username}:{found.password}{found.identity_token}".encode()
    found.registry_token.encode("ascii")
