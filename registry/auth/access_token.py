"""AccessToken: what ``/token`` gives and a Bearer header brings, signed by this registry.

It is opaque to clients: ``<payload>.<signature>`` in base64url, HMAC-SHA256 with one key.  This
registry issues and verifies it; there is no algorithm in it to choose (rule AN-1).  It says who
asked and for what.  Access is decided from live rows at each request.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from functools import lru_cache
from types import NoneType
from typing import Final

from registry.auth.scopes import Scope

LIFETIME_SECONDS: Final = 300
REFRESH_SECONDS: Final = 90 * 86_400
# Clients send it in a header, which has a limit.
MAX_LENGTH: Final = 12 * 1024
KEY_BYTES: Final = 32

_GRAMMAR = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]{43})", re.ASCII)
# The first bytes that are signed: the same key signs nothing else that looks like a token.
_CONTEXT: Final = b"slipway access token v1\0"
# The fields of the payload, in the order of AccessToken.  True is no int, nor is 1.0.
_TYPES: Final = ((int,), (str,), (str,), (int, NoneType), (list,), (str,), (int,), (int,))


@dataclass(frozen=True, slots=True)
class AccessToken:
    """The verified contents of an access token."""

    principal: int
    """The row id of the principal, which no other one ever has."""
    name: str
    """The principal's name, for messages."""
    credential: str
    """The id of the token that it was got with; empty for a password, and for anonymous."""
    password: int | None
    """The principal's version, if it was got with a password: a change of the account ends it."""
    scopes: tuple[Scope, ...]
    service: str
    issued_at: int
    """Seconds since 1970, as ``expires_at``."""
    expires_at: int

    def allows(self, type: str, name: str, action: str) -> bool:
        return any(scope.allows(type, name, action) for scope in self.scopes)


def sign(token: AccessToken, key: bytes) -> str:
    payload = json.dumps(
        [
            token.principal,
            token.name,
            token.credential,
            token.password,
            [[scope.type, scope.name, *scope.actions] for scope in token.scopes],
            token.service,
            token.issued_at,
            token.expires_at,
        ],
        separators=(",", ":"),
    ).encode()
    encoded = _encode(payload)
    return f"{encoded}.{_encode(_signature(encoded, key))}"


def verify(text: str, key: bytes, service: str) -> AccessToken | None:
    """The token, if this registry signed it for this service; None for anything else.

    Whether it has expired is for the caller to ask.
    """
    if len(text) > MAX_LENGTH:
        return None
    try:
        token = _verified(text, key)
    except (ValueError, RecursionError):
        return None
    return token if token.service == service else None


# Clients send one token with many requests.  That this registry signed it stays true.  Raised for
# any other text, which is then not kept: a caller without a token fills no memory with them.
@lru_cache(maxsize=1024)
def _verified(text: str, key: bytes) -> AccessToken:
    found = _GRAMMAR.fullmatch(text)
    if found is None or not hmac.compare_digest(_encode(_signature(found[1], key)), found[2]):
        raise ValueError("expected a payload and its signature")
    encoded = found[1]
    return _parse(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))


def _parse(content: bytes) -> AccessToken:
    """The payload that ``sign`` gives.  Raises ValueError for another, as of another version."""
    payload = json.loads(content.decode())
    if not isinstance(payload, list) or len(payload) != len(_TYPES):
        raise ValueError(f"expected {len(_TYPES)} fields")
    if any(type(value) not in types for value, types in zip(payload, _TYPES, strict=True)):
        raise ValueError("expected a field of another type")
    principal, name, credential, password, scopes, service, issued_at, expires_at = payload
    parsed = tuple(map(_scope, scopes))
    return AccessToken(
        principal, name, credential, password, parsed, service, issued_at, expires_at
    )


def _scope(value: object) -> Scope:
    if not isinstance(value, list) or {*map(type, value)} != {str}:
        raise ValueError("expected a scope's type, name and actions")
    kind, name, *actions = value
    return Scope(kind, name, tuple(actions))


def _signature(encoded: str, key: bytes) -> bytes:
    return hmac.digest(key, _CONTEXT + encoded.encode(), hashlib.sha256)


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
