"""Keys: the public ones of our algorithms, each under an id of its own."""

import json

import pytest
from joserfc.jwk import OctKey

from registry.auth.oidc.keys import MAX_KEYS, TokenRefused, parse_discovery, parse_keys
from tests.support.registry.issuer import ec_key, encoded, rsa_key

ISSUER = "https://ci.test"


def test_keys_of_other_kinds_are_left_out() -> None:
    oct_key = OctKey.import_key("secret of many bytes", {"kid": "oct"}).as_dict(private=True)
    good = rsa_key().as_dict(private=False)
    given = [
        oct_key,
        {**good, "kid": "encrypts", "use": "enc"},
        {**good, "kid": "other alg", "alg": "RS512"},
        {**good, "kid": "confused", "alg": "HS256"},
        {**good, "kid": "even", "e": encoded(b"\2")},
        {**good, "kid": "one", "e": encoded(b"\1")},
        {**good, "kid": "no e", "e": None},
        {**good, "kid": "not base64", "n": "?"},
        {**rsa_key("private").as_dict(private=True)},
        {**good, "kid": "short", "n": good["n"][:171]},
        ec_key("curve", "P-384").as_dict(private=False),
        {**ec_key("off").as_dict(private=False), "x": encoded(b"\1" * 32)},
        {key: value for key, value in good.items() if key != "kid"},
        {**good, "kid": 5},
        "text",
        None,
        {**good, "kid": "twice"},
        {**rsa_key("other").as_dict(private=False), "kid": "twice"},
        {**good, "x5c": ["MII"], "jku": "https://evil.test", "key_ops": ["verify"]},
    ]

    assert list(parse_keys(json.dumps({"keys": given}).encode())) == ["rsa"]


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b'{"keys":{}}', b'{"keys":[],"keys":[]}', b"\xff", b"[" * 100_000],
)
def test_content_that_is_no_set_of_keys_is_refused(content: bytes) -> None:
    with pytest.raises(TokenRefused, match="cannot be read"):
        parse_keys(content)


def test_a_set_of_very_many_keys_is_refused() -> None:
    with pytest.raises(TokenRefused, match="expected at most"):
        parse_keys(json.dumps({"keys": [{}] * (MAX_KEYS + 1)}).encode())


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": ISSUER + "/", "jwks_uri": "https://ci.test/keys"},
        {"issuer": "https://evil.test", "jwks_uri": "https://ci.test/keys"},
        {"issuer": [ISSUER], "jwks_uri": "https://ci.test/keys"},
        {"jwks_uri": "https://ci.test/keys"},
        {"issuer": ISSUER},
        {"issuer": ISSUER, "jwks_uri": ["https://ci.test/keys"]},
        [],
    ],
)
def test_a_configuration_of_another_issuer_or_form_is_refused(document: object) -> None:
    with pytest.raises(TokenRefused):
        parse_discovery(json.dumps(document).encode(), ISSUER)
