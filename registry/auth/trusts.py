"""Trusts: the tokens of a CI's issuer that count here, by their claims.

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

MAX_CLAIMS: Final = 20
MAX_NAME: Final = 100
MAX_VALUE: Final = 500
MAX_URL: Final = 500
MAX_LIFE_SECONDS: Final = 3600
DEFAULT_LIFE_SECONDS: Final = 900

REF: Final = "ref"
# A workflow of the target's that runs for a stranger's change.
_REFUSED_EVENT: Final = "pull_request_target"

_CLAIM = re.compile(r"[A-Za-z][A-Za-z0-9_.:/-]*", re.ASCII)
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[1-9][0-9]{0,4})?", re.ASCII)
_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)*/?", re.ASCII)
# Claims that tell no project from another, or that are judged on their own.
_NOT_IDENTIFYING = frozenset(
    {"iss", "aud", "exp", "nbf", "iat", "jti", "ref", "ref_type", "ref_protected", "event_name"}
    | {"environment", "runner_environment", "build_branch", "build_source", "pipeline_source"}
)
_JUDGED = frozenset({"iss", "aud", "exp", "nbf", "iat", "jti"})


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


@dataclass(frozen=True, slots=True)
class Trust:
    """The tokens that count: of one issuer, for one audience, with equal claims."""

    name: str
    issuer: Issuer
    audience: str
    """Empty for the registry's own address."""
    claims: Mapping[str, str]
    life_seconds: int

    def refusal(self, claims: Mapping[str, object], own_address: str) -> str:
        """The first reason that the trust does not accept these claims; empty if it does.

        The signature and the times are judged elsewhere.
        """
        kind = KINDS[self.issuer.kind]
        if claims.get("iss") != self.issuer.url:
            return f"iss is {_shown(claims, 'iss')}, expected {quoted(self.issuer.url)}"
        audience = self.audience or own_address
        if not audience:
            return "the registry has no address of its own: server.external_url, or --audience"
        if claims.get("aud") not in (audience, [audience]):
            return f"aud is {_shown(claims, 'aud')}, expected {quoted(audience)} alone"
        if claims.get("event_name") == _REFUSED_EVENT:
            return f"event_name is {_REFUSED_EVENT}: it runs for changes of strangers"
        for name, expected in self.claims.items():
            found = claim_text(claims.get(name))
            if found is None or not _is_equal(name, found, expected, kind):
                return f"{name} is {_shown(claims, name)}, expected {quoted(expected)}"
        return ""


def check_claims(issuer: Issuer, claims: Mapping[str, str]) -> None:
    """Raise ValueError unless these claims hold one project's or organization's tokens."""
    if len(claims) > MAX_CLAIMS:
        raise ValueError(f"{len(claims)} claims, expected at most {MAX_CLAIMS}")
    for name, value in claims.items():
        if name in _JUDGED or len(name) > MAX_NAME or _CLAIM.fullmatch(name) is None:
            raise ValueError(f"claim is {quoted(name)}, expected one that the issuer adds")
        if not value or len(value) > MAX_VALUE or not value.isprintable():
            raise ValueError(f"claim {name} is {quoted(value)}, expected a text")
        if "*" in (value[:-1] if name == REF else value) or value == "*":
            raise ValueError(
                f"claim {name} is {quoted(value)}, expected it whole; ref alone may end in *"
            )
    kind = KINDS[issuer.kind]
    if kind.identifying and not set(kind.identifying) & set(claims):
        raise ValueError(
            f"expected one claim of {', '.join(kind.identifying)}: anybody can have tokens "
            f"of {issuer.url}"
        )
    if not set(claims) - _NOT_IDENTIFYING:
        raise ValueError("expected a claim that names a project or an organization")
    if issuer.kind == "github" and not claims.get(REF, "refs/").startswith("refs/"):
        raise ValueError(
            f"claim ref is {quoted(claims[REF])}, expected refs/heads/... or refs/tags/..."
        )


def claim_text(value: object) -> str | None:
    """A claim as the text that it is compared by; None for one that equals nothing.

    >>> claim_text("812"), claim_text(812), claim_text(True), claim_text(812.0)
    ('812', '812', 'true', None)
    """
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int) else None


def _is_equal(name: str, found: str, expected: str, kind: Kind) -> bool:
    if name == REF and expected.endswith("*"):
        return found.startswith(expected[:-1])
    # Other letters than ASCII's may have an ASCII letter as their lower case.
    if name in kind.caseless and found.isascii() and expected.isascii():
        return found.lower() == expected.lower()
    return found == expected


def _shown(claims: Mapping[str, object], name: str) -> str:
    return quoted(str(claims[name])) if name in claims else "missing"
