"""Issuers: their exact URLs, and the claims that tell one project's tokens from another's.

https://docs.github.com/en/actions/reference/security/oidc
https://docs.gitlab.com/ci/secrets/id_token_authentication/
https://buildkite.com/docs/pipelines/security/oidc
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from oci.errors import quoted

MAX_URL: Final = 500

_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[1-9][0-9]{0,4})?", re.ASCII)
_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)*/?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of issuer: one claim of ``identifying`` is required; empty for any named one."""

    identifying: tuple[str, ...]
    caseless: frozenset[str] = frozenset()
    """Claims whose case the issuer does not distinguish."""


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "github": Kind(
            ("repository_id", "repository_owner_id"),
            frozenset({"repository", "repository_owner"}),
        ),
        "gitlab": Kind(("project_id", "namespace_id")),
        "forgejo": Kind(("repository_id", "repository_owner_id")),
        "buildkite": Kind(("organization_id", "pipeline_id")),
        "other": Kind(()),
    }
)

KNOWN: Mapping[str, str] = MappingProxyType(
    {
        "https://token.actions.githubusercontent.com": "github",
        "https://gitlab.com": "gitlab",
        "https://agent.buildkite.com": "buildkite",
    }
)
"""Issuers that serve everybody, and their kinds."""

URLS: Mapping[str, str] = MappingProxyType({kind: url for url, kind in KNOWN.items()})


@dataclass(frozen=True, slots=True)
class Issuer:
    """The exact URL of an issuer, and its kind."""

    url: str
    kind: str

    @classmethod
    def parse(cls, text: str, kind: str | None = None) -> Issuer:
        """From a kind with one issuer for everybody, or from a URL.  Raises ValueError."""
        url = URLS.get(text, text)
        if kind is not None and kind not in KINDS:
            raise ValueError(f"kind is {quoted(kind)}, expected one of {', '.join(KINDS)}")
        check_issuer_url(url)
        # By its host: another spelling of a known issuer must not be of a laxer kind.
        host = urlsplit(url).netloc.removesuffix(":443")
        known = next((KNOWN[each] for each in KNOWN if urlsplit(each).netloc == host), None)
        if known is not None and (url.endswith("/") or kind not in (None, known)):
            raise ValueError(
                f"issuer is {quoted(url)}, expected {URLS[known]} and the kind {known}"
            )
        return cls(url, known or kind or "other")


def check_issuer_url(url: str) -> None:
    """Raise ValueError unless it is an https URL in the one form that tokens have it in."""
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    if (
        len(url) > MAX_URL
        or scheme != "https"
        or _HOST.fullmatch(host) is None
        or host.endswith(":443")
        or ".." in host
        or _PATH.fullmatch(slash + path) is None
    ):
        raise ValueError(
            f"issuer is {quoted(url)}, expected {', '.join(URLS)}, or its URL as in the claim "
            "`iss`: https://HOST[:PORT][/PATH]"
        )
