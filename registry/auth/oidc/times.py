"""Times: those between which a token counts, by clocks that differ a little.

https://www.rfc-editor.org/rfc/rfc7519#section-4.1
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from registry.auth.oidc.keys import TokenRefused

MAX_AGE_SECONDS: Final = 600
LEEWAY_SECONDS: Final = 60


def check_times(claims: Mapping[str, object], now: int) -> None:
    """Raise TokenRefused unless the token counts now, in seconds since 1970."""
    expires_at, issued_at = time_of(claims, "exp"), time_of(claims, "iat")
    if expires_at + LEEWAY_SECONDS <= now:
        raise TokenRefused("the token has expired")
    if issued_at - LEEWAY_SECONDS > now:
        raise TokenRefused("the token is issued in the future: compare the clocks")
    if issued_at + MAX_AGE_SECONDS + LEEWAY_SECONDS <= now:
        raise TokenRefused(f"the token was issued more than {MAX_AGE_SECONDS} seconds ago")
    if "nbf" in claims and time_of(claims, "nbf") - LEEWAY_SECONDS > now:
        raise TokenRefused("the token does not count yet: compare the clocks")


def time_of(claims: Mapping[str, object], name: str) -> int:
    value = claims.get(name)
    if type(value) is not int or value < 0:
        raise TokenRefused(f"expected the claim {name}: whole seconds since 1970")
    return value
