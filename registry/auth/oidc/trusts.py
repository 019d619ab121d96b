"""Trusts: the tokens of a CI's issuer that count here, by their claims.

https://docs.github.com/en/actions/reference/security/oidc
https://docs.gitlab.com/ci/secrets/id_token_authentication/
https://buildkite.com/docs/pipelines/security/oidc
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from oci.errors import quoted
from registry.auth.oidc.issuers import KINDS, Issuer, Kind

MAX_CLAIMS: Final = 20
MAX_NAME: Final = 100
MAX_VALUE: Final = 500
MAX_LIFE_SECONDS: Final = 3600
DEFAULT_LIFE_SECONDS: Final = 900

REF: Final = "ref"
# A workflow of the target's that runs for a stranger's change.
_REFUSED_EVENT: Final = "pull_request_target"

_CLAIM = re.compile(r"[A-Za-z][A-Za-z0-9_.:/-]*", re.ASCII)
# Claims that tell no project from another, or that are judged on their own.
_NOT_IDENTIFYING = frozenset(
    {"iss", "aud", "exp", "nbf", "iat", "jti", "ref", "ref_type", "ref_protected", "event_name"}
    | {"environment", "runner_environment", "build_branch", "build_source", "pipeline_source"}
)
_JUDGED = frozenset({"iss", "aud", "exp", "nbf", "iat", "jti"})


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
