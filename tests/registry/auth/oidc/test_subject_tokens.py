"""Subject tokens: of the one form, by the issuer's own keys, at their time (rule AN-1)."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Mapping

import pytest
from joserfc.jwk import ECKey

from registry.auth.oidc.keys import TokenRefused, parse_keys
from registry.auth.oidc.subject_tokens import (
    MAX_LENGTH,
    REFUSED_HEADERS,
    check_signature,
    parse_subject_token,
)
from registry.auth.oidc.times import check_times
from tests.support.registry.issuer import assembled, ec_key, encoded, key_set, rsa_key, signed

NOW = 1_800_000_000
CLAIMS: Mapping[str, object] = {"iss": "https://ci.test", "iat": NOW, "exp": NOW + 300}
HEADER = {"alg": "RS256", "kid": "rsa"}
ISSUER = "https://ci.test"


@pytest.mark.parametrize("key", [rsa_key(), ec_key()], ids=["RS256", "ES256"])
def test_a_token_of_the_issuers_key_is_verified(key: ECKey) -> None:
    token = parse_subject_token(signed(CLAIMS, key))
    keys = parse_keys(json.dumps(key_set(rsa_key(), ec_key())).encode())

    check_signature(token, keys[token.key_id])
    check_times(token.claims, NOW)

    assert (token.issuer, token.key_id, token.claims) == (ISSUER, key.kid, CLAIMS)
    assert token.text not in repr(token)


def hmac_by_public_key() -> str:
    """HS256 with the public key's text as the secret: the confusion of algorithms."""
    text = ".".join(
        encoded(json.dumps(part).encode()) for part in ({**HEADER, "alg": "HS256"}, CLAIMS)
    )
    secret = rsa_key().as_pem(private=False)
    return f"{text}.{encoded(hmac.digest(secret, text.encode(), 'sha256'))}"


def with_payload(content: bytes) -> str:
    return f"{encoded(json.dumps(HEADER).encode())}.{encoded(content)}.e30"


FORGED = {
    "empty": "",
    "no token": "abc",
    "two parts": "e30.e30",
    "four parts": "e30.e30.e30.e30",
    "encrypted": "e30.e30.e30.e30.e30",
    "no signature": signed(CLAIMS).rpartition(".")[0] + ".",
    "padded": signed(CLAIMS) + "=",
    "a space": signed(CLAIMS) + " ",
    "a line": signed(CLAIMS) + "\n",
    "the other base64": "+/+." + signed(CLAIMS).partition(".")[2],
    "too long": "a" * MAX_LENGTH + ".e30.e30",
    "alg none": assembled({"alg": "none", "kid": "rsa"}, CLAIMS),
    "alg NONE": assembled({"alg": "NONE", "kid": "rsa"}, CLAIMS),
    "alg missing": assembled({"kid": "rsa"}, CLAIMS),
    "alg null": assembled({"alg": None, "kid": "rsa"}, CLAIMS),
    "alg a list": assembled({"alg": ["RS256"], "kid": "rsa"}, CLAIMS),
    "alg HS256": hmac_by_public_key(),
    "alg HS512": assembled({"alg": "HS512", "kid": "rsa"}, CLAIMS),
    "alg RS384": assembled({"alg": "RS384", "kid": "rsa"}, CLAIMS),
    "alg PS256": assembled({"alg": "PS256", "kid": "rsa"}, CLAIMS),
    "alg ES512": assembled({"alg": "ES512", "kid": "rsa"}, CLAIMS),
    "alg rs256": assembled({"alg": "rs256", "kid": "rsa"}, CLAIMS),
    "kid missing": assembled({"alg": "RS256"}, CLAIMS),
    "kid empty": assembled({"alg": "RS256", "kid": ""}, CLAIMS),
    "kid a number": assembled({"alg": "RS256", "kid": 1}, CLAIMS),
    "kid a list": assembled({"alg": "RS256", "kid": ["rsa"]}, CLAIMS),
    "kid too long": assembled({"alg": "RS256", "kid": "a" * 501}, CLAIMS),
    "b64": assembled({**HEADER, "b64": False}, CLAIMS),
    "zip": assembled({**HEADER, "zip": "DEF"}, CLAIMS),
    "header a list": assembled([HEADER], CLAIMS),
    "header twice": encoded(b'{"alg":"none","alg":"RS256","kid":"rsa"}') + ".e30.e30",
    "payload a text": assembled(HEADER, "claims"),
    "payload another token": assembled({**HEADER, "cty": "JWT"}, signed(CLAIMS)),
    "payload no UTF-8": with_payload(b"\xff"),
    "claim twice": with_payload(b'{"iss":"a","iss":"b"}'),
    "claim NaN": with_payload(b'{"iss":"a","exp":NaN}'),
    "iss missing": assembled(HEADER, {}),
    "iss a list": assembled(HEADER, {"iss": [ISSUER]}),
    "deep": f"{encoded(b'[' * 5000)}.e30.e30",
}


@pytest.mark.parametrize("name", FORGED)
def test_a_token_of_another_form_is_refused(name: str) -> None:
    with pytest.raises(TokenRefused):
        parse_subject_token(FORGED[name])


@pytest.mark.parametrize("name", REFUSED_HEADERS)
def test_a_header_brings_no_key_and_no_extension(name: str) -> None:
    value = rsa_key("mine").as_dict(private=False) if name == "jwk" else ["exp"]

    with pytest.raises(TokenRefused, match=f"the header has {name}"):
        parse_subject_token(assembled({**HEADER, name: value}, CLAIMS))


def test_the_last_bits_of_base64_are_zero() -> None:
    head, _, signature = signed(CLAIMS).split(".")
    raw = json.dumps({**CLAIMS, "x": "."}).encode()
    raw += b" " * (-(len(raw) - 1) % 3)  # one byte more than threes
    exact = encoded(raw)
    other = exact[:-1] + chr(ord(exact[-1]) + 1)
    assert base64.urlsafe_b64decode(other + "==") == raw

    with pytest.raises(TokenRefused, match="payload is no JSON"):
        parse_subject_token(f"{head}.{other}.{signature}")


@pytest.mark.parametrize(
    ("token", "key"),
    [
        (signed(CLAIMS), rsa_key("other")),
        (signed(CLAIMS, ec_key()), ec_key("other")),
        (signed(CLAIMS), ec_key()),
        (signed(CLAIMS, ec_key()), rsa_key()),
        (
            signed({**CLAIMS, "iss": "x"}).rpartition(".")[0] + "." + signed(CLAIMS).split(".")[2],
            rsa_key(),
        ),
        (assembled(HEADER, CLAIMS, b"\0" * 256), rsa_key()),
        (assembled(HEADER, CLAIMS, b"\0"), rsa_key()),
        (assembled({"alg": "ES256", "kid": "ec"}, CLAIMS, b"\0" * 64), ec_key()),
        (assembled({"alg": "ES256", "kid": "ec"}, CLAIMS, b"\0"), ec_key()),
    ],
    ids=[
        "RSA",
        "EC",
        "EC for RSA",
        "RSA for EC",
        "payload",
        "zeros",
        "short",
        "EC zeros",
        "EC short",
    ],
)
def test_a_signature_of_anything_else_is_refused(token: str, key: ECKey) -> None:
    with pytest.raises(TokenRefused):
        check_signature(parse_subject_token(token), key)


def test_a_replay_is_known_by_the_jti_or_by_the_signed_text() -> None:
    def replay_id(**more: object) -> str:
        return parse_subject_token(signed({**CLAIMS, **more}, ec_key())).replay_id

    # ECDSA signs each time anew: the texts differ.
    assert replay_id() == replay_id()
    assert replay_id(jti="a") == replay_id(jti="a", extra=1)
    assert len({replay_id(), replay_id(jti="a"), replay_id(jti="b"), replay_id(extra=1)}) == 4
    assert replay_id(jti="a") != replay_id(jti="a", iss="https://other.test")


def test_a_token_is_remembered_for_as_long_as_it_may_count() -> None:
    for change in ({}, {"exp": NOW + 86_400}):
        token = parse_subject_token(signed({**CLAIMS, **change}))

        check_times(token.claims, token.expires_at - 1)
        with pytest.raises(TokenRefused):
            check_times(token.claims, token.expires_at)
