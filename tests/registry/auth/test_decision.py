"""Decision: every step up to the first that fails, by an oracle, and the texts of the steps."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.auth.decision import Narrowing, Standing, TagFacts, allows, decide, limits
from registry.auth.patterns import Pattern
from registry.auth.roles import Access, Role

REPOSITORY = "team/app"
ORDER = ["identity", "credential", "token", "grants", "scope", "tag"]
RANKS: dict[Access, int] = {
    "see": 1,
    "pull": 1,
    "create": 2,
    "push": 3,
    "maintain": 4,
    "admin": 5,
}
ROLES = ["pull", "create", "push", "maintain", "admin"]

# The limits of a token, as text; with the rank that they leave on the repository.
LIMITS: dict[str, int] = {
    "": 0,
    "admin other/*": 0,
    "admin team": 0,
    "pull *": 1,
    "admin other/* create team/app": 2,
    "pull team/* push {user}/app": 3,
    "maintain team/* pull team/app": 4,
    "admin team/app": 5,
}


@dataclass(frozen=True)
class Case:
    """A caller and what is asked, in plain values."""

    is_disabled: bool
    has_problem: bool
    is_owner: bool
    is_auditor: bool
    rank: int
    limits: str | None
    scope: bool | None
    tag: str | None

    @property
    def standing(self) -> Standing:
        return Standing(
            "team",
            is_disabled=self.is_disabled,
            is_owner=self.is_owner,
            is_auditor=self.is_auditor,
            credential_problem="the token is revoked" if self.has_problem else "",
            narrowing=None if self.limits is None else narrowing(self.limits),
            role=Role.parse(ROLES[self.rank - 1]) if self.rank else None,
        )

    @property
    def facts(self) -> TagFacts | None:
        if self.tag is None:
            return None
        return TagFacts("v1", self.tag != "new", "stable (v*)" if self.tag == "locked" else "")


def narrowing(text: str) -> tuple[Narrowing, ...]:
    words = iter(text.split())
    return tuple(
        Narrowing(Role.parse(role), Pattern.parse(pattern))
        for role, pattern in zip(words, words, strict=True)
    )


def expected_steps(case: Case, access: Access) -> tuple[list[str], bool]:
    """The oracle: the names of the steps, and whether the last one passes."""
    rank = RANKS[access]
    sees = access == "see" and case.is_auditor
    moves = access in ("create", "push", "maintain")
    applies = {"token": case.limits is not None, "scope": case.scope is not None}
    applies["tag"] = case.tag is not None and moves
    passes = {
        "identity": not case.is_disabled,
        "credential": not case.has_problem,
        "token": case.limits is None or LIMITS[case.limits] >= rank,
        "grants": case.is_owner or sees or case.rank >= rank,
        "scope": case.scope is True,
        "tag": case.tag == "new" or (case.tag == "old" and access != "create"),
    }
    steps = []
    for step in ORDER:
        if applies.get(step, True):
            steps.append(step)
            if not passes[step]:
                return steps, False
    return steps, True


def cases() -> Iterator[Case]:
    both = (False, True)
    yield from itertools.starmap(
        Case,
        itertools.product(
            *(both, both, both, both, range(6), (None, *LIMITS)),
            *((None, False, True), (None, "new", "old", "locked")),
        ),
    )


@pytest.mark.parametrize("access", RANKS)
def test_az_1_every_standing_is_decided_as_the_oracle_does(access: Access) -> None:
    decided = 0

    for case in cases():
        decision = decide(case.standing, access, REPOSITORY, case.scope, case.facts)
        names, is_allowed = expected_steps(case, access)

        assert [step.name for step in decision.steps] == names, case
        assert [step.is_passed for step in decision.steps[:-1]] == [True] * (len(names) - 1)
        assert decision.is_allowed is is_allowed, case
        assert decision.reason == decision.steps[-1].text
        decided += 1

    assert decided == 16 * 6 * 9 * 3 * 4


drawn_cases = st.builds(
    Case,
    *[st.booleans()] * 4,
    st.integers(0, 5),
    st.sampled_from([None, *LIMITS]),
    st.sampled_from([None, False, True]),
    st.none(),
)


@pytest.mark.parametrize("access", RANKS)
def test_the_quick_answer_is_that_of_the_steps(access: Access) -> None:
    for case in cases():
        decision = decide(case.standing, access, REPOSITORY, case.scope)

        assert allows(case.standing, access, REPOSITORY, case.scope) == decision.is_allowed


@given(drawn_cases, drawn_cases, st.sampled_from(list(RANKS)))
def test_more_rights_never_take_an_access_away(one: Case, other: Case, access: Access) -> None:
    more = replace(
        one,
        is_owner=one.is_owner or other.is_owner,
        is_auditor=one.is_auditor or other.is_auditor,
        rank=max(one.rank, other.rank),
    )

    if decide(one.standing, access, REPOSITORY, one.scope).is_allowed:
        assert decide(more.standing, access, REPOSITORY, more.scope).is_allowed


@given(drawn_cases, st.sampled_from([None, *LIMITS]), st.sampled_from(list(RANKS)))
def test_a_limit_never_gives_an_access(case: Case, limit: str | None, access: Access) -> None:
    free = replace(case, limits=None, scope=None)
    limited = replace(case, limits=limit)

    if decide(limited.standing, access, REPOSITORY, limited.scope).is_allowed:
        assert decide(free.standing, access, REPOSITORY, None).is_allowed


ADA = Standing("ada", role=Role.CREATE, holder=" on team/* (grant 3)")
ROW = TagFacts("v1", exists=True, lock="")


@pytest.mark.parametrize(
    ("standing", "access", "scope", "tag", "text"),
    [
        (replace(ADA, is_disabled=True), "pull", None, None, "ada is disabled"),
        (
            replace(ADA, credential_problem="the token is revoked"),
            *("pull", None, None, "the token is revoked"),
        ),
        (
            replace(ADA, narrowing=narrowing("pull team/* create other")),
            *("create", None, None),
            "the token is for pull on team/*, create on other, expected create on team/app",
        ),
        (
            replace(ADA, narrowing=()),
            *("pull", None, None, "the token is for nothing, expected pull on team/app"),
        ),
        (
            ADA,
            *("push", None, None),
            "ada holds create on team/* (grant 3), expected push on team/app",
        ),
        (Standing("ada"), "pull", None, None, "ada holds no role, expected pull on team/app"),
        (
            Standing("ada", is_auditor=True),
            *("pull", None, None, "ada holds no role, expected pull on team/app"),
        ),
        (ADA, "create", False, None, "the access token's scope lacks create in team/app"),
        (ADA, "create", None, ROW, "v1 exists, and moving it needs push"),
        (
            replace(ADA, is_owner=True),
            *("push", True, replace(ROW, lock="stable (v*)")),
            "v1 exists and lock stable (v*) holds it; a new tag would be accepted",
        ),
    ],
)
def test_a_refusal_names_what_was_found_and_what_is_expected(
    standing: Standing, access: Access, scope: bool | None, tag: TagFacts | None, text: str
) -> None:
    decision = decide(standing, access, REPOSITORY, scope, tag)

    assert not decision.is_allowed
    assert decision.reason == text


def test_each_step_that_passes_says_why() -> None:
    standing = replace(ADA, narrowing=narrowing("push team/*"))

    decision = decide(standing, "create", REPOSITORY, True, replace(ROW, exists=False))

    assert [(step.name, step.text) for step in decision.steps] == [
        ("identity", "ada is known"),
        ("credential", "the credential is valid"),
        ("token", "the token is for push on team/*"),
        ("grants", "ada holds create on team/* (grant 3)"),
        ("scope", "the access token's scope has create in team/app"),
        ("tag", "tag v1 does not exist yet"),
    ]


@pytest.mark.parametrize(
    ("standing", "access", "text"),
    [
        (Standing("ada", is_owner=True), "admin", "ada is an owner"),
        (Standing("ada", is_auditor=True), "see", "ada is an auditor"),
        (Standing("ada", role=Role.PULL), "see", "ada holds pull"),
        (Standing("ada", role=Role.ADMIN), "pull", "ada holds admin"),
    ],
)
def test_a_decision_says_by_which_right_it_allows(
    standing: Standing, access: Access, text: str
) -> None:
    assert decide(standing, access, REPOSITORY, None).reason == text


def test_a_limit_for_each_user_is_for_the_caller() -> None:
    own = Standing("ada", is_owner=True, narrowing=narrowing("push home/{user}/*"))

    assert decide(own, "push", "home/ada/app", None).is_allowed
    assert not decide(own, "push", "home/bob/app", None).is_allowed


@pytest.mark.parametrize("access", ["open", "check", "catalog"])
def test_an_access_to_no_repository_is_never_decided(access: Access) -> None:
    with pytest.raises(KeyError):
        decide(Standing("ada", is_owner=True), access, REPOSITORY, None)


def test_limits_are_listed_or_nothing() -> None:
    assert limits(narrowing("pull * admin a/*")) == "pull on *, admin on a/*"
    assert limits(()) == "nothing"
