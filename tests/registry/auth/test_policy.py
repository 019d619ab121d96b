"""Policy: the access of each identity."""

import typing

import pytest

from registry.auth.policy import ALLOWED, ANONYMOUS, Access, Grant, Identity, Policy

GRANTS: tuple[Grant, ...] = typing.get_args(Grant)
ACCESSES: tuple[Access, ...] = typing.get_args(Access)


@pytest.mark.parametrize(
    ("grant", "allowed"),
    [
        ("none", {"open"}),
        ("pull", {"open", "pull", "catalog"}),
        ("push", {"open", "pull", "catalog", "push", "delete"}),
    ],
)
def test_a_grant_allows_this_and_nothing_else(grant: Grant, allowed: set[Access]) -> None:
    policy = Policy(grant)

    assert {access for access in ACCESSES if policy.allows(ANONYMOUS, access)} == allowed


def test_every_grant_is_decided() -> None:
    assert set(ALLOWED) == set(GRANTS)


@pytest.mark.parametrize("grant", GRANTS)
def test_a_larger_grant_takes_nothing_away(grant: Grant) -> None:
    assert ALLOWED["none"] <= ALLOWED[grant] <= ALLOWED["push"]


@pytest.mark.parametrize("grant", GRANTS)
@pytest.mark.parametrize("name", ["", "Anonymous", "anonymous ", "root"])
def test_an_unknown_caller_has_no_access(grant: Grant, name: str) -> None:
    assert not any(Policy(grant).allows(Identity(name), access) for access in ACCESSES)


def test_each_policy_is_described_in_words() -> None:
    assert len({str(Policy(grant)) for grant in GRANTS}) == len(GRANTS)
