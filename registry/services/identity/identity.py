"""Identity: a caller whose credentials were checked, or the anonymous one."""

from __future__ import annotations

from dataclasses import dataclass

from registry.auth.access_token import AccessToken
from registry.auth.names import ANONYMOUS_NAME
from registry.storage.metadata.identity.tables import ANONYMOUS_ID


@dataclass(frozen=True, slots=True)
class Identity:
    """A caller.  Access is not in it: that is read from live rows."""

    principal: int
    name: str
    credential: str = ""
    """The id of the token that it came with; empty for a password, and for anonymous."""
    password: int | None = None
    """The version of the principal whose password was checked."""
    access_token: AccessToken | None = None
    """The access token that it came with; its scope limits it."""

    ends_at: int | None = None
    """Seconds since 1970: of a caller by a trust, whose access tokens end then."""

    @property
    def is_anonymous(self) -> bool:
        return self.principal == ANONYMOUS_ID


ANONYMOUS = Identity(ANONYMOUS_ID, ANONYMOUS_NAME)
