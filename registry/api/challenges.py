"""Challenges: the WWW-Authenticate header of a 401.

https://distribution.github.io/distribution/spec/auth/token/
https://www.rfc-editor.org/rfc/rfc6750#section-3
"""

import re

from starlette.types import Scope

from oci.http import Challenge
from registry.errors import Unauthorized
from registry.services.identity.authentication import SERVICE

TOKEN_PATH = "/token"  # noqa: S105  # a path, no password

# https://www.rfc-editor.org/rfc/rfc6750#section-3 allows ASCII without " and \.
_NOT_IN_DESCRIPTIONS = {ord('"'): "'", ord("\\"): "/"}
# A name or an address, with a port.  The server accepts more (rule HT-2).
_HOST = re.compile(rb"[A-Za-z0-9._:\[\]-]{1,255}", re.ASCII)

BASIC = Challenge("Basic", {"realm": SERVICE, "charset": "UTF-8"})


def challenge(scope: Scope, error: Unauthorized, external_url: str) -> Challenge:
    """The challenge that tells a client where to get a token, and for what.

    The address is ``external_url``.  Without one it is the request's own Host: only its sender
    reads the answer, which no cache keeps.
    """
    if scope["path"] == TOKEN_PATH:
        return BASIC
    parameters = {"realm": (external_url or own_address(scope)) + TOKEN_PATH, "service": SERVICE}
    if error.scope:
        parameters["scope"] = error.scope
    if error.error:
        parameters["error"] = error.error
        # Docker shows this text, and for a HEAD, which has no body, no other one.
        parameters["error_description"] = str(error).translate(_NOT_IN_DESCRIPTIONS)
    return Challenge("Bearer", parameters)


def own_address(scope: Scope) -> str:
    """Scheme and host of a request; a Host that is no name or address is not repeated."""
    host = next((value for name, value in scope["headers"] if name == b"host"), b"")
    if _HOST.fullmatch(host) is None:
        address, port = scope.get("server") or ("localhost", None)
        host = f"{address}:{port}".encode() if port else address.encode()
    return f"{scope['scheme']}://{host.decode()}"
