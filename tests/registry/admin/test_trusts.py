"""The commands on trusts."""

from __future__ import annotations

import time
from typing import Any

import pytest

from registry.admin.open_registry import OpenRegistry
from registry.errors import Absent, CommandRefused, Invalid
from tests.registry.admin.conftest import told
from tests.support.registry.issuer import signed

GITHUB = "https://token.actions.githubusercontent.com"
GIVEN: dict[str, Any] = {
    "name": "gh-app",
    "issuer": "github",
    "audience": "mine",
    "claims": [["repository_id", "812"]],
    "grants": [["push", "team/*"]],
}


async def test_a_trust_is_added_listed_and_removed(opened: OpenRegistry) -> None:
    [added] = await told(opened, "trust add", **GIVEN, life_ms=3_600_000, private=True)
    [listed] = await told(opened, "trust list")
    [grant] = await told(opened, "grant list", who="gh-app")
    [removed] = await told(opened, "trust remove", name="gh-app")

    assert added == {"name": "gh-app", "issuer": GITHUB, "kind": "github"}
    assert listed.pop("created_at") > 0
    assert listed == {
        "name": "gh-app",
        "issuer": GITHUB,
        "kind": "github",
        "audience": "mine",
        "claims": {"repository_id": "812"},
        "grants": [["push", "team/*"]],
        "life_ms": 3_600_000,
        "is_private": True,
        "is_disabled": False,
        "created_by": "operator",
    }
    assert (grant["role"], grant["kind"]) == ("push", "robot")
    assert removed == {"name": "gh-app"}
    assert await told(opened, "trust list") == []
    with pytest.raises(Absent):
        await told(opened, "trust remove", name="gh-app")


async def test_a_life_is_a_quarter_of_an_hour_unless_it_is_given(opened: OpenRegistry) -> None:
    await told(opened, "trust add", **GIVEN)

    [listed] = await told(opened, "trust list")
    assert (listed["life_ms"], listed["is_private"]) == (900_000, False)


@pytest.mark.parametrize(
    ("claims", "ref_type"),
    [
        ([], None),
        ([["ref", "main"]], "branch"),
        ([["ref", "v*"], ["ref_type", "tag"]], "tag"),
    ],
)
async def test_a_ref_of_gitlab_is_a_branch_unless_it_is_said(
    opened: OpenRegistry, claims: list[list[str]], ref_type: str | None
) -> None:
    given = {**GIVEN, "issuer": "gitlab", "claims": [["project_id", "22"], *claims]}

    await told(opened, "trust add", **given)

    [listed] = await told(opened, "trust list")
    assert listed["claims"].get("ref_type") == ref_type


@pytest.mark.parametrize(
    "changed",
    [
        {"issuer": "http://gitlab.test"},
        {"issuer": "github", "kind": "other"},
        {"claims": []},
        {"claims": [["ref", "refs/heads/main"]]},
        {"claims": [["repository_id", "812"], ["repository_id", "813"]]},
        {"claims": [["repository_id", 812]]},
        {"claims": [["repository_id"]]},
        {"grants": []},
        {"grants": [["write", "team/*"]]},
        {"audience": ""},
        {"life_ms": 3_601_000},
        {"life_ms": 999},
    ],
)
async def test_a_trust_that_cannot_be_is_refused(
    opened: OpenRegistry, changed: dict[str, Any]
) -> None:
    with pytest.raises(CommandRefused):
        await told(opened, "trust add", **{**GIVEN, **changed})

    assert await told(opened, "trust list") == []


async def test_a_token_is_inspected_and_not_repeated(opened: OpenRegistry) -> None:
    await told(opened, "trust add", **GIVEN)
    other = {**GIVEN, "name": "other", "claims": [["repository_id", "9"]]}
    await told(opened, "trust add", **other)
    now = int(time.time())
    claims = {"iss": GITHUB, "aud": "mine", "repository_id": "812", "iat": now, "exp": now + 300}
    token = signed(claims)

    found = await told(opened, "trust inspect", token=token)
    late = await told(opened, "trust inspect", token=signed({**claims, "exp": 1}))

    assert found == [
        {"claims": claims, "problem": ""},
        {"trust": "gh-app", "accepts": True, "refusal": ""},
        {
            "trust": "other",
            "accepts": False,
            "refusal": "repository_id is '812', expected '9'",
        },
    ]
    assert [late[0]["problem"], late[1]["accepts"]] == ["the token has expired", False]
    assert all(part not in str(found) for part in token.split("."))


async def test_a_text_that_is_no_token_is_refused(opened: OpenRegistry) -> None:
    with pytest.raises(Invalid, match="expected a JSON Web Token"):
        await told(opened, "trust inspect", token="text")  # noqa: S106  # no password
