"""Decision: one list of steps from a caller to an access; the first false one is the reason.

``decide`` and ``explain`` are the same function: page, API, command and log agree.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from registry.auth.patterns import Pattern
from registry.auth.roles import NEEDED, Access, Role


@dataclass(frozen=True, slots=True)
class Narrowing:
    """A limit of a token: at most this role on this pattern."""

    role: Role
    pattern: Pattern


@dataclass(frozen=True, slots=True)
class Standing:
    """A caller by the live rows, for one repository or for none."""

    name: str
    is_disabled: bool = False
    is_owner: bool = False
    is_auditor: bool = False
    credential_problem: str = ""
    """The reason that its token or password counts no more; empty if it does."""
    credential_until: int | None = None
    """The time at which its token ends, in milliseconds; None for never."""
    narrowing: tuple[Narrowing, ...] | None = None
    """The limits of the token it came with; None if that has none."""
    role: Role | None = None
    """Its highest role by grants on the repository; None without any."""
    holder: str = ""
    """How the role is held, for people; empty if only the role is known."""


@dataclass(frozen=True, slots=True)
class TagFacts:
    """A tag that the access would move or delete."""

    tag: str
    exists: bool
    lock: str
    """The lock that holds tags of this name, with its glob; empty for none."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a decision."""

    name: str
    is_passed: bool
    text: str


@dataclass(frozen=True, slots=True)
class Decision:
    """Every step up to the first that fails."""

    steps: tuple[Step, ...]

    @property
    def is_allowed(self) -> bool:
        return self.steps[-1].is_passed

    @property
    def reason(self) -> str:
        return self.steps[-1].text


def decide(
    standing: Standing,
    access: Access,
    repository: str,
    scope: bool | None,
    tag: TagFacts | None = None,
) -> Decision:
    """Decide one access to one repository.

    ``scope``: whether the access token's scope has the action; None if it came without one.
    ``tag``: the tag that is to be moved, where one is known.
    """
    steps = []
    for step in _steps(standing, access, repository, scope, tag):
        steps.append(step)
        if not step.is_passed:
            break
    return Decision(tuple(steps))


def allows(standing: Standing, access: Access, repository: str, scope: bool | None) -> bool:
    """``decide(…).is_allowed``, without the texts: most requests are allowed, and need none."""
    if standing.is_disabled or standing.credential_problem or scope is False:
        return False
    needed = NEEDED[access]
    if standing.narrowing is not None and not any(
        limit.role >= needed and limit.pattern.matches(repository, standing.name)
        for limit in standing.narrowing
    ):
        return False
    if standing.is_owner or (access == "see" and standing.is_auditor):
        return True
    return standing.role is not None and standing.role >= needed


def _steps(
    standing: Standing,
    access: Access,
    repository: str,
    scope: bool | None,
    tag: TagFacts | None,
) -> Iterator[Step]:
    needed = NEEDED[access]
    yield Step(
        "identity",
        not standing.is_disabled,
        f"{standing.name} is disabled" if standing.is_disabled else f"{standing.name} is known",
    )
    yield Step(
        "credential",
        not standing.credential_problem,
        standing.credential_problem or "the credential is valid",
    )
    if standing.narrowing is not None:
        wide = [
            limit
            for limit in standing.narrowing
            if limit.role >= needed and limit.pattern.matches(repository, standing.name)
        ]
        yield Step(
            "token",
            bool(wide),
            f"the token is for {limits(standing.narrowing)}"
            + ("" if wide else f", expected {needed} on {repository}"),
        )
    yield _grants(standing, access, repository, needed)
    # After the grants: a caller whose role is too low is told so, and not that the token's scope,
    # which is never wider than the grants, lacks something.
    if scope is not None:
        yield Step(
            "scope",
            scope,
            f"the access token's scope {'has' if scope else 'lacks'} {access} in {repository}",
        )
    if tag is not None and access in ("create", "push", "maintain"):
        yield _tag(access, tag)


def _grants(standing: Standing, access: Access, repository: str, needed: Role) -> Step:
    if standing.is_owner:
        return Step("grants", True, f"{standing.name} is an owner")
    if access == "see" and standing.is_auditor:
        return Step("grants", True, f"{standing.name} is an auditor")
    held = standing.role
    if held is not None and held >= needed:
        return Step("grants", True, f"{standing.name} holds {held}{standing.holder}")
    found = "no role" if held is None else f"{held}{standing.holder}"
    return Step(
        "grants", False, f"{standing.name} holds {found}, expected {needed} on {repository}"
    )


def _tag(access: Access, tag: TagFacts) -> Step:
    if not tag.exists:
        return Step("tag", True, f"tag {tag.tag} does not exist yet")
    if tag.lock:
        text = f"{tag.tag} exists and lock {tag.lock} holds it; a new tag would be accepted"
        return Step("tag", False, text)
    if access == "create":
        return Step("tag", False, f"{tag.tag} exists, and moving it needs push")
    return Step("tag", True, f"tag {tag.tag} exists, and no lock holds it")


def limits(narrowing: tuple[Narrowing, ...]) -> str:
    return ", ".join(f"{each.role} on {each.pattern}" for each in narrowing) or "nothing"
