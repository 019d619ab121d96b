"""Credentials: parse the Authorization header.

https://www.rfc-editor.org/rfc/rfc7617
"""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from http import HTTPStatus

from oci.errors import ErrorCode, OCIError
from registry.errors import Unauthorized

MAX_USER = 256
MAX_PASSWORD = 1024
# Longer tokens are parsed again with each request: any caller can send them.
MAX_REMEMBERED = 2048
# A user whose password is a CI's token, or an access token that was got with one.
OIDC_USER = "oidc"
MAX_OIDC_PASSWORD = 16 * 1024

# https://www.rfc-editor.org/rfc/rfc6750#section-2.1
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*", re.ASCII)
_EXPECTED = "Basic credentials must be base64 of user:password"


class CredentialsInvalid(Unauthorized):
    """The Authorization header is malformed."""


class CredentialsRepeated(OCIError):
    """More than one Authorization header: a proxy and the registry might use different ones."""

    code = ErrorCode.UNAUTHORIZED
    status = HTTPStatus.BAD_REQUEST

    def __init__(self, found: int) -> None:
        super().__init__(f"{found} Authorization headers, expected at most one")


@dataclass(frozen=True, slots=True)
class BasicCredentials:
    """A user name and a password, as sent and not verified."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class BearerToken:
    """A token, as sent and not verified."""

    token: str = field(repr=False)


def parse_credentials(headers: Sequence[str]) -> BasicCredentials | BearerToken | None:
    """Parse the Authorization headers of one request; None without any (rule AN-4).

    Raises CredentialsRepeated for more than one header, CredentialsInvalid unless it is a token or
    strict base64 of a bounded, printable ``user:password``.
    """
    if not headers:
        return None
    if len(headers) > 1:
        raise CredentialsRepeated(len(headers))
    header = headers[0]
    if header.startswith("Bearer ") and len(header) <= MAX_REMEMBERED:
        return _parse_bearer(header)
    return _parse(header)


# A client sends the same one with many requests.  A refusal is not remembered.
@lru_cache(maxsize=1024)
def _parse_bearer(header: str) -> BasicCredentials | BearerToken:
    return _parse(header)


def _parse(header: str) -> BasicCredentials | BearerToken:
    scheme, _, encoded = header.strip().partition(" ")
    if scheme.lower() == "bearer" and _TOKEN.fullmatch(encoded):
        return BearerToken(encoded)
    if scheme.lower() != "basic":
        raise CredentialsInvalid("Authorization must be Basic, or Bearer with one token")
    user, colon, password = _decoded(encoded).partition(":")
    if not colon or not user:
        raise CredentialsInvalid(_EXPECTED)
    if is_too_long(user, password):
        raise CredentialsInvalid(
            f"a user has at most {MAX_USER} characters, a password at most {MAX_PASSWORD}"
        )
    if any(character in user + password for character in "\0\r\n"):
        raise CredentialsInvalid("Basic credentials must not hold NUL, CR or LF")
    return BasicCredentials(user, password)


def is_too_long(user: str, password: str) -> bool:
    most = MAX_OIDC_PASSWORD if user == OIDC_USER else MAX_PASSWORD
    return len(user) > MAX_USER or len(password) > most


def _decoded(encoded: str) -> str:
    try:
        decoded = base64.b64decode(encoded, validate=True)
        # b64decode accepts excess padding.
        if base64.b64encode(decoded) == encoded.encode():
            return decoded.decode()
    except ValueError:
        pass
    raise CredentialsInvalid(_EXPECTED)
