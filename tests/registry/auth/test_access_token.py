"""AccessToken: read back as signed; none of the forged ones is a token, and none raises (AN-1)."""

import base64
import hashlib
import hmac
import json
import weakref
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.auth.access_token import KEY_BYTES, MAX_LENGTH, AccessToken, sign, verify
from registry.auth.scopes import Scope

KEY = bytes(range(KEY_BYTES))
OTHER_KEY = bytes(reversed(KEY))
SERVICE = "slipway"
REFRESH = f"{SERVICE} refresh"
CONTEXT = b"slipway access token v1\0"

FIELDS: list[object] = [
    *(7, "ada", "0aZ0aZ0aZ0aZ", None),
    [["repository", "team/app", "pull", "push"], ["registry", "catalog", "*"]],
    *(SERVICE, 1_700_000_000, 1_700_000_300),
]
TOKEN = AccessToken(
    *(7, "ada", "0aZ0aZ0aZ0aZ", None),
    (Scope("repository", "team/app", ("pull", "push")), Scope("registry", "catalog", ("*",))),
    *(SERVICE, 1_700_000_000, 1_700_000_300),
)
TEXT = sign(TOKEN, KEY)
PAYLOAD, SIGNATURE = TEXT.split(".")

short = st.text(max_size=8)
times = st.integers(0, 2**40)
tokens = st.builds(
    AccessToken,
    st.integers(1, 2**62),
    short,
    short,
    st.none() | st.integers(1, 2**31),
    st.lists(
        st.builds(Scope, short, short, st.lists(short, max_size=3).map(tuple)), max_size=3
    ).map(tuple),
    st.just(SERVICE),
    times,
    times,
)


def base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def signed(content: bytes, key: bytes = KEY, context: bytes = CONTEXT, hash: str = "sha256") -> str:
    """A token over any content, made without the module."""
    encoded = base64url(content)
    return f"{encoded}.{base64url(hmac.digest(key, context + encoded.encode(), hash))}"


def document(fields: object) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode()


def with_field(place: int, value: object) -> list[object]:
    return [*FIELDS[:place], value, *FIELDS[place + 1 :]]


def jwt(header: dict[str, object], key: bytes | None, signature: str = "") -> str:
    """A JSON web token that claims as much as can be, signed with a key or not at all."""
    claims = {"iss": SERVICE, "aud": SERVICE, "sub": "ada", "exp": 2**40, "access": FIELDS[4]}
    text = f"{base64url(document(header))}.{base64url(document(claims))}"
    if key is not None:
        signature = base64url(hmac.digest(key, text.encode(), hashlib.sha256))
    return f"{text}.{signature}"


def changed_fields() -> Iterator[tuple[str, str]]:
    """Each field changed, and the signature as it was."""
    changes: list[tuple[int, str, object]] = [
        *((0, "principal", 1), (1, "name", "root"), (2, "credential", ""), (3, "password", 1)),
        *((4, "scopes", []), (4, "scopes to delete", [["repository", "team/app", "delete"]])),
        (4, "scopes of another repository", [["repository", "other/app", "pull"]]),
        *((5, "service", REFRESH), (6, "issued_at", 0), (7, "expires_at", 2**40)),
    ]
    for place, name, value in changes:
        yield f"changed {name}", f"{base64url(document(with_field(place, value)))}.{SIGNATURE}"
    spaced = base64url(json.dumps(FIELDS).encode())
    yield "the same fields with spaces", f"{spaced}.{SIGNATURE}"


def other_signatures() -> Iterator[tuple[str, str]]:
    content = document(FIELDS)
    for name, key in (
        ("another", OTHER_KEY),
        ("an empty", b""),
        ("a full", b"\xff" * KEY_BYTES),
        ("a cut", KEY[:-1]),
        ("a hashed", hashlib.sha256(KEY).digest()),
        ("a hexadecimal", KEY.hex().encode()),
        ("a base64", base64url(KEY).encode()),
    ):
        yield f"{name} key", signed(content, key)
    yield "no context", signed(content, context=b"")
    yield "another version", signed(content, context=CONTEXT.replace(b"v1", b"v2"))
    yield "a context without its end", signed(content, context=CONTEXT[:-1])
    yield "a longer hash", signed(content, hash="sha512")
    yield "a longer hash, cut", signed(content, hash="sha512")[: len(TEXT)]
    yield "a shorter hash", signed(content, hash="sha1")
    plain = base64url(hashlib.sha256(KEY + CONTEXT + PAYLOAD.encode()).digest())
    yield "a hash that is no HMAC", f"{PAYLOAD}.{plain}"
    raw = base64url(hmac.digest(KEY, CONTEXT + content, hashlib.sha256))
    yield "a signature of the content itself", f"{PAYLOAD}.{raw}"
    yield "a hexadecimal signature", f"{PAYLOAD}.{base64.urlsafe_b64decode(SIGNATURE + '=').hex()}"
    yield "a signature of zeros", f"{PAYLOAD}.{'A' * 43}"
    yield "the signature of another token", f"{PAYLOAD}.{sign_of('bob')}"
    yield "the parts in the other order", f"{SIGNATURE}.{PAYLOAD}"


def sign_of(name: str) -> str:
    return signed(document(with_field(1, name))).split(".")[1]


def other_services() -> Iterator[tuple[str, str]]:
    for service in (REFRESH, "other", "", "Slipway", "slipway ", "slipway\0", "slipway.test"):
        yield f"service {service!r}", signed(document(with_field(5, service)))
    yield "services in a list", signed(document(with_field(5, [SERVICE])))


def web_tokens() -> Iterator[tuple[str, str]]:
    for algorithm in ("none", "None", "NONE", "nOnE", ""):
        yield f"alg {algorithm!r} unsigned", jwt({"alg": algorithm, "typ": "JWT"}, None)
    yield "alg none with a signature", jwt({"alg": "none"}, None, SIGNATURE)
    yield "HS256 with the key", jwt({"alg": "HS256"}, KEY)
    yield "HS256 with a public key", jwt({"alg": "HS256"}, b"-----BEGIN PUBLIC KEY-----\n")
    yield "HS256 with an empty key", jwt({"alg": "HS256"}, b"")
    for algorithm, size in (("RS256", 256), ("PS256", 256), ("ES256", 64), ("EdDSA", 64)):
        yield algorithm, jwt({"alg": algorithm}, None, base64url(bytes(size)))
    key = {"kty": "oct", "k": base64url(OTHER_KEY)}
    for name, value in (
        ("jwk", key),
        ("jku", "https://attacker.test/keys"),
        ("x5u", "https://attacker.test/certificate"),
        ("x5c", [base64.b64encode(b"certificate").decode()]),
        ("crit", ["exp"]),
        ("b64", False),
        ("cty", "JWT"),
        ("zip", "DEF"),
    ):
        yield f"header {name}", jwt({"alg": "HS256", name: value}, OTHER_KEY)
    yield "kid of an empty file", jwt({"alg": "HS256", "kid": "../../dev/null"}, b"")
    yield "kid of a query", jwt({"alg": "HS256", "kid": "' UNION SELECT 'x"}, b"x")
    yield "one encrypted", ".".join([base64url(b"{}")] * 5)
    yield "one with our payload", f"{base64url(document({'alg': 'HS256'}))}.{TEXT}"
    nested = document({"payload": TEXT})
    yield "one in another", signed(nested, OTHER_KEY)


def other_texts() -> Iterator[tuple[str, str]]:
    """The text itself cut, extended, or written in another way."""
    yield from (
        ("an empty text", ""),
        ("the payload alone", PAYLOAD),
        ("no signature", f"{PAYLOAD}."),
        ("no payload", f".{SIGNATURE}"),
        ("a dot", "."),
        ("two dots", ".."),
        ("a dot doubled", f"{PAYLOAD}..{SIGNATURE}"),
        ("a dot before", f".{TEXT}"),
        ("a dot after", f"{TEXT}."),
        ("a comma", f"{PAYLOAD},{SIGNATURE}"),
        ("one character less", TEXT[:-1]),
        ("one character less before", TEXT[1:]),
        ("one character more", f"{TEXT}A"),
        ("one character more before", f"A{TEXT}"),
        ("the text twice", TEXT + TEXT),
        ("a list of two", f"{TEXT},{TEXT}"),
        ("padding after", f"{TEXT}="),
        ("padding of the payload", f"{PAYLOAD}==.{SIGNATURE}"),
        ("a space before", f" {TEXT}"),
        ("a space after", f"{TEXT} "),
        ("a line feed after", f"{TEXT}\n"),
        ("a line feed within", f"{PAYLOAD}\n.{SIGNATURE}"),
        ("NUL after", f"{TEXT}\0"),
        ("quotes around", f'"{TEXT}"'),
        ("percent encoding", TEXT.replace(".", "%2E")),
        ("upper case", TEXT.upper()),
        ("a full-width dot", TEXT.replace(".", "\uff0e")),
        ("a one dot leader", TEXT.replace(".", "\u2024")),
        ("an Arabic digit", f"{PAYLOAD}.\u0661{SIGNATURE[1:]}"),
        ("a full-width digit", f"{PAYLOAD}.\uff11{SIGNATURE[1:]}"),
        ("a Cyrillic letter", f"{PAYLOAD}.\u0430{SIGNATURE[1:]}"),
        ("half of a surrogate pair", f"{TEXT}\ud800"),
        ("a byte order mark", f"\ufeff{TEXT}"),
        ("a stored token", f"slipway_{'0' * 12}_{'0' * 43}_{'0' * 6}"),
        ("a huge text", "A" * 1_000_000),
        ("a million dots", "." * 1_000_000),
    )
    final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    spare = final.index(SIGNATURE[-1])
    for bits in (1, 2, 3):
        # The same 32 bytes: the last character has two bits that stand for nothing.
        yield f"spare bits {bits}", TEXT[:-1] + final[spare ^ bits]


def other_contents() -> Iterator[tuple[str, str]]:
    """Signed with the key, as one of another version would be: the payload has another form."""
    contents: list[tuple[str, bytes]] = [
        *(("empty", b""), ("a word", b"token"), ("null", b"null"), ("an empty list", b"[]")),
        ("an object", document({"principal": 7, "name": "ada"})),
        ("a text", document(TEXT)),
        ("a field less", document(FIELDS[:-1])),
        ("a field more", document([*FIELDS, 0])),
        ("a list in a list", document([FIELDS])),
        ("bytes after it", document(FIELDS) + b"]"),
        ("bytes that are no text", b"\xff" + document(FIELDS)),
        ("a byte order mark", b"\xef\xbb\xbf" + document(FIELDS)),
        ("NaN", document(with_field(7, float("nan")))),
        ("infinity", document(with_field(7, float("inf")))),
        ("a float time", document(with_field(7, 1_700_000_300.5))),
        ("a whole float time", document(with_field(7, 1_700_000_300.0))),
        ("a time in exponents", document(FIELDS).replace(b"1700000300", b"1e400")),
        ("a time as text", document(with_field(7, "1700000300"))),
        ("no time", document(with_field(7, None))),
        ("a time of 5000 digits", document(FIELDS).replace(b"1700000300", b"9" * 5000)),
        ("true as principal", document(with_field(0, True))),
        ("a float principal", document(with_field(0, 7.0))),
        ("no principal", document(with_field(0, None))),
        ("a number as name", document(with_field(1, 7))),
        ("no credential", document(with_field(2, None))),
        ("false as password", document(with_field(3, False))),
        ("no scopes", document(with_field(4, None))),
        ("scopes as text", document(with_field(4, "repository:team/app:pull"))),
        ("scopes as an object", document(with_field(4, {"repository": "team/app"}))),
        ("a scope as text", document(with_field(4, ["repository:team/app:pull"]))),
        ("an empty scope", document(with_field(4, [[]]))),
        ("a scope without a name", document(with_field(4, [["repository"]]))),
        ("a scope with a number", document(with_field(4, [["repository", "team/app", 1]]))),
        ("a scope in a scope", document(with_field(4, [["repository", "team/app", ["pull"]]]))),
        ("lists in lists", b"[" * 6000),
        ("lists in lists, closed", b"[" * 4000 + b"]" * 4000),
    ]
    for name, content in contents:
        yield f"content: {name}", signed(content)
    odd = PAYLOAD[: len(PAYLOAD) // 4 * 4] + "A"
    signature = base64url(hmac.digest(KEY, CONTEXT + odd.encode(), hashlib.sha256))
    yield "content: impossible base64", f"{odd}.{signature}"
    yield "content: too long", signed(document(with_field(1, "a" * MAX_LENGTH)))


FORGED = [
    *changed_fields(),
    *other_signatures(),
    *other_services(),
    *web_tokens(),
    *other_texts(),
    *other_contents(),
]


@pytest.mark.parametrize("text", [text for _, text in FORGED], ids=[name for name, _ in FORGED])
def test_an_1_a_forged_token_is_none_and_does_not_raise(text: str) -> None:
    assert verify(text, KEY, SERVICE) is None


def test_an_1_the_forged_tokens_are_many_and_each_is_another_one() -> None:
    texts = [text for _, text in FORGED]

    assert len(set(texts)) == len(texts) >= 60
    assert TEXT not in texts


def test_an_1_tokens_are_forged_in_the_form_of_real_ones() -> None:
    assert signed(document(FIELDS)) == TEXT
    assert verify(signed(document(FIELDS)), KEY, SERVICE) == TOKEN


@given(tokens)
def test_a_token_is_read_back_as_signed(token: AccessToken) -> None:
    assert verify(sign(token, KEY), KEY, SERVICE) == token


@given(tokens, st.data())
def test_an_1_any_changed_character_makes_it_no_token(
    token: AccessToken, data: st.DataObject
) -> None:
    text = sign(token, KEY)
    place = data.draw(st.integers(0, len(text) - 1))
    changed = text[:place] + data.draw(st.characters()) + text[place + 1 :]

    assert (verify(changed, KEY, SERVICE) is None) is (changed != text)


def test_an_1_each_single_change_of_one_token_is_noticed() -> None:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
    changed = (
        TEXT[:place] + character + TEXT[place + 1 :]
        for place, found in enumerate(TEXT)
        for character in alphabet
        if character != found
    )

    assert [text for text in changed if verify(text, KEY, SERVICE) is not None] == []


@given(st.text(max_size=60) | st.text("AZaz09-_.", max_size=60) | st.binary().map(signed))
def test_an_1_any_other_text_is_no_token(text: str) -> None:
    assert verify(text, KEY, SERVICE) is None


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text() | st.integers(), st.lists))
def test_an_1_any_other_document_is_no_token(value: object) -> None:
    assert verify(signed(document(value)), KEY, SERVICE) is None
    assert verify(signed(document([*FIELDS, value])), KEY, SERVICE) is None
    assert verify(signed(document(with_field(4, [[value, "name"], None]))), KEY, SERVICE) is None


def test_an_1_a_token_counts_for_its_own_service_and_key_also_after_it_was_verified() -> None:
    refresh = sign(AccessToken(1, "a", "", 1, (), REFRESH, 1, 2), KEY)

    for _ in range(2):
        assert verify(refresh, KEY, REFRESH) is not None
        assert verify(refresh, KEY, SERVICE) is None
        assert verify(TEXT, KEY, SERVICE) == TOKEN
        assert verify(TEXT, KEY, REFRESH) is None
        assert verify(TEXT, OTHER_KEY, SERVICE) is None


def test_a_token_is_verified_whether_or_not_it_has_expired() -> None:
    expired = sign(AccessToken(1, "a", "", 1, (), SERVICE, 1, 2), KEY)

    found = verify(expired, KEY, SERVICE)

    assert found is not None
    assert found.expires_at == 2


def test_a_token_sent_again_is_not_read_again() -> None:
    assert verify(TEXT, KEY, SERVICE) is verify(TEXT, KEY, SERVICE)


@pytest.mark.parametrize("text", [f"{PAYLOAD}.{'A' * 43}", "A" * (MAX_LENGTH + 1)])
def test_a_text_that_is_no_token_is_not_kept(text: str) -> None:
    class Sent(str):
        __slots__ = ("__weakref__",)

    sent = Sent(text)
    reference = weakref.ref(sent)

    assert verify(sent, KEY, SERVICE) is None

    del sent
    assert reference() is None


def test_a_token_allows_its_scopes_and_nothing_else() -> None:
    asked = [
        (type, name, action)
        for type in ("repository", "registry")
        for name in ("team/app", "team", "team/app/x", "catalog", "Team/app", "")
        for action in ("pull", "push", "delete", "*", "")
    ]

    assert [each for each in asked if TOKEN.allows(*each)] == [
        ("repository", "team/app", "pull"),
        ("repository", "team/app", "push"),
        ("registry", "catalog", "*"),
    ]


def test_a_token_without_scopes_allows_nothing() -> None:
    token = AccessToken(1, "a", "", None, (), SERVICE, 1, 2)

    assert not token.allows("repository", "team/app", "pull")


def test_a_token_tells_nothing_of_the_key() -> None:
    assert KEY not in base64.urlsafe_b64decode(PAYLOAD + "==")
    assert "signature" not in repr(TOKEN)
