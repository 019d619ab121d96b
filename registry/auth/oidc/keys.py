"""Keys: those of an issuer that verify its tokens, as it publishes them.

https://www.rfc-editor.org/rfc/rfc7517 and https://openid.net/specs/openid-connect-discovery-1_0.html
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from oci.document import InvalidDocument, parse_document

MAX_KEYS: Final = 100
_RSA_BITS = range(2048, 8193)
# In whole characters of base64: a key of another size is not even read.
_ENCODED_BITS = range(2048, 8193 + 16)
_MAX_EXPONENT = 2**32

Key = RSAKey | ECKey
Keys = Mapping[str, Key]
"""The keys of an issuer by their ids."""


class TokenRefused(ValueError):
    """The token does not count; the message says why, and quotes no part of its signature."""


def parse_keys(content: bytes) -> Keys:
    """The keys of a set that verify our algorithms, by id; others are left out.

    Raises TokenRefused for content that is no set.  An id that two keys have is none's.
    """
    try:
        found = parse_document(content).get("keys")
    except InvalidDocument as error:
        raise TokenRefused(f"the issuer's keys cannot be read: {error}") from None
    if not isinstance(found, list):
        raise TokenRefused("the issuer's keys cannot be read: expected a list of keys")
    if len(found) > MAX_KEYS:
        raise TokenRefused(f"the issuer has {len(found)} keys, expected at most {MAX_KEYS}")
    ids = [each.get("kid") for each in found if isinstance(each, dict)]
    keys: dict[str, Key] = {}
    for each in found:
        if isinstance(each, dict) and isinstance(each.get("kid"), str):
            key = _key(each) if ids.count(each["kid"]) == 1 else None
            if key is not None:
                keys[each["kid"]] = key
    return MappingProxyType(keys)


def parse_discovery(content: bytes, issuer: str) -> str:
    """The address of the issuer's keys.  Raises TokenRefused, as for another issuer's document.

    https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfigurationValidation
    """
    try:
        document = parse_document(content)
    except InvalidDocument as error:
        raise TokenRefused(f"the issuer's configuration cannot be read: {error}") from None
    if document.get("issuer") != issuer:
        raise TokenRefused("the issuer's configuration is of another issuer")
    address = document.get("jwks_uri")
    if not isinstance(address, str):
        raise TokenRefused("the issuer's configuration has no jwks_uri")
    return address


def _key(given: dict[str, Any]) -> Key | None:
    """A public key, from its public members only; None for one of another kind."""
    if given.get("use", "sig") != "sig" or "d" in given or "k" in given:
        return None
    try:
        if given.get("kty") == "RSA" and given.get("alg", "RS256") == "RS256":
            if (len(given["n"]) * 6) not in _ENCODED_BITS:
                return None
            key = RSAKey.import_key({name: given[name] for name in ("kty", "n", "e")})
            return key if _is_sound(key) else None
        is_elliptic = given.get("kty") == "EC" and given.get("crv") == "P-256"
        if is_elliptic and given.get("alg", "ES256") == "ES256":
            return ECKey.import_key({name: given[name] for name in ("kty", "crv", "x", "y")})
    except (JoseError, ValueError, KeyError, TypeError, AttributeError):
        pass
    return None


def _is_sound(key: RSAKey) -> bool:
    public = key.raw_value
    if not isinstance(public, RSAPublicKey):
        return False
    exponent = public.public_numbers().e
    return public.key_size in _RSA_BITS and exponent % 2 == 1 and 3 <= exponent <= _MAX_EXPONENT
