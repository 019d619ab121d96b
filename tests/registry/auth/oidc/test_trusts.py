"""Trusts: equal claims of one issuer, of one project or organization at least."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from registry.auth.oidc.issuers import Issuer
from registry.auth.oidc.trusts import MAX_CLAIMS, Trust, check_claims

GITHUB = Issuer.parse("github")
GITLAB = Issuer.parse("gitlab")
OWN = "https://registry.test"
CLAIMS: Mapping[str, object] = {
    "iss": GITHUB.url,
    "aud": OWN,
    "repository": "Team/App",
    "repository_id": "812",
    "ref": "refs/heads/main",
    "event_name": "push",
}


def trust(issuer: Issuer = GITHUB, audience: str = "", **claims: str) -> Trust:
    return Trust("gh-app", issuer, audience, claims or {"repository_id": "812"}, 900)


def refusal(changed: Mapping[str, object], issuer: Issuer = GITHUB, **claims: str) -> str:
    return trust(issuer, **claims).refusal({**CLAIMS, "iss": issuer.url, **changed}, OWN)


def test_a_token_with_all_the_claims_is_accepted() -> None:
    assert refusal({}) == ""
    assert refusal({}, repository_id="812", ref="refs/heads/main", event_name="push") == ""
    assert refusal({"aud": [OWN]}) == ""
    assert refusal({"aud": "mine"}, audience="mine") == ""


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"iss": GITHUB.url + "/"}, "iss is"),
        ({"iss": "HTTPS://token.actions.githubusercontent.com"}, "iss is"),
        ({"iss": None}, "iss is"),
        ({"aud": OWN + "/"}, "aud is"),
        ({"aud": "https://REGISTRY.test"}, "aud is"),
        ({"aud": "https://github.com/team"}, "aud is"),
        ({"aud": [OWN, "https://other.test"]}, "aud is"),
        ({"aud": []}, "aud is"),
        ({"aud": None}, "aud is"),
        ({"event_name": "pull_request_target"}, "pull_request_target"),
        ({"repository_id": "813"}, "repository_id is '813', expected '812'"),
        ({"repository_id": "0812"}, "repository_id is"),
        ({"repository_id": " 812"}, "repository_id is"),
        ({"repository_id": 812.0}, "repository_id is"),
        ({"repository_id": ["812"]}, "repository_id is"),
        ({"repository_id": {"812": "812"}}, "repository_id is"),
        ({"repository_id": None}, "repository_id is"),
        ({"repository_id": True}, "repository_id is"),
    ],
)
def test_the_first_reason_of_a_refusal_is_told(changed: dict[str, object], text: str) -> None:
    assert text in refusal(changed)


def test_a_missing_claim_is_no_equal_one() -> None:
    without = {name: value for name, value in CLAIMS.items() if name != "repository_id"}

    assert "repository_id is missing" in trust().refusal(without, OWN)


def test_a_number_equals_its_digits() -> None:
    assert refusal({"repository_id": 812}) == ""


def test_an_issuer_without_an_audience_accepts_nothing() -> None:
    assert "no address of its own" in trust().refusal({**CLAIMS, "aud": ""}, "")


def test_a_repository_of_github_is_compared_without_its_case() -> None:
    assert refusal({}, repository="team/APP", repository_id="812") == ""
    assert "repository is" in refusal({}, repository="team/apps", repository_id="812")
    # A Kelvin sign, of which k is the lower case.
    assert "repository is" in refusal({"repository": "tea\u212a"}, repository="teak")
    assert "repository is" in refusal({}, Issuer.parse("https://ci.test"), repository="team/app")


@pytest.mark.parametrize(
    ("pattern", "ref", "is_equal"),
    [
        ("refs/heads/main", "refs/heads/main", True),
        ("refs/heads/main", "refs/heads/main2", False),
        ("refs/heads/main", "refs/heads/Main", False),
        ("refs/tags/*", "refs/tags/v1", True),
        ("refs/tags/*", "refs/heads/v1", False),
        ("refs/tags/*", "", False),
        ("refs/tags/v[1]*", "refs/tags/v1", False),
    ],
)
def test_a_ref_may_be_a_prefix(pattern: str, ref: str, is_equal: bool) -> None:
    assert (refusal({"ref": ref}, repository_id="812", ref=pattern) == "") is is_equal


@pytest.mark.parametrize(
    ("issuer", "claims"),
    [
        (GITHUB, {}),
        (GITHUB, {"ref": "refs/heads/main"}),
        (GITHUB, {"repository": "team/app", "ref": "refs/heads/main"}),
        (GITHUB, {"sub": "repo:team/app"}),
        (GITHUB, {"project_id": "1"}),
        (GITHUB, {"repository_id": "812", "ref": "main"}),
        (GITLAB, {"ref": "main"}),
        (GITLAB, {"repository_id": "1"}),
        (Issuer.parse("buildkite"), {"build_branch": "main"}),
        (Issuer.parse("https://git.test", "forgejo"), {"repository": "team/app"}),
        (Issuer.parse("https://ci.test"), {}),
        (Issuer.parse("https://ci.test"), {"ref": "main"}),
        (Issuer.parse("https://ci.test"), {"event_name": "push", "environment": "production"}),
        (GITHUB, {"repository_id": ""}),
        (GITHUB, {"repository_id": "*"}),
        (GITHUB, {"repository_id": "8*"}),
        (GITHUB, {"repository_id": "812", "ref": "*"}),
        (GITHUB, {"repository_id": "812", "ref": "refs/*/main"}),
        (GITHUB, {"repository_id": "812\n"}),
        (GITHUB, {"repository_id": "8" * 501}),
        (GITHUB, {"repository_id": "812", "aud": "x"}),
        (GITHUB, {"repository_id": "812", "iss": "x"}),
        (GITHUB, {"repository_id": "812", "": "x"}),
        (GITHUB, {"repository_id": "812", "a b": "x"}),
        (GITHUB, {"repository_id": "812"} | {f"c{n}": "x" for n in range(MAX_CLAIMS)}),
    ],
)
def test_claims_that_hold_nobody_off_are_refused(issuer: Issuer, claims: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"expected"):
        check_claims(issuer, claims)


@pytest.mark.parametrize(
    ("issuer", "claims"),
    [
        (GITHUB, {"repository_id": "812", "ref": "refs/heads/*"}),
        (GITHUB, {"repository_owner_id": "7", "environment": "production"}),
        (GITLAB, {"project_id": "22", "ref": "main", "ref_protected": "true"}),
        (GITLAB, {"namespace_id": "5"}),
        (Issuer.parse("buildkite"), {"pipeline_id": "0193"}),
        (Issuer.parse("https://git.test", "forgejo"), {"repository_owner_id": "3"}),
        (Issuer.parse("https://ci.test/tenant"), {"sub": "job:1"}),
    ],
)
def test_claims_of_a_project_or_an_organization_are_enough(
    issuer: Issuer, claims: dict[str, str]
) -> None:
    check_claims(issuer, claims)
