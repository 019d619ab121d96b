"""Roles: their order, their names, and the tables of accesses."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.auth.roles import ACTIONS, NEEDED, Access, Role

NAMES = ["pull", "create", "push", "maintain", "admin"]


def test_each_role_holds_those_below_it() -> None:
    assert [str(role) for role in sorted(Role)] == NAMES


@pytest.mark.parametrize("role", Role)
def test_a_role_is_read_from_its_text(role: Role) -> None:
    assert Role.parse(str(role)) is role


# The upper case of a long s is S, and of an i without its dot is I.
@pytest.mark.parametrize(
    "text", ["", "PUSH", "Push", " push", "push\n", "1", "owner", "pu\u017fh", "ma\u0131nta\u0131n"]
)
def test_any_other_text_is_refused_with_the_roles_that_there_are(text: str) -> None:
    with pytest.raises(ValueError, match="expected one of pull, create, push, maintain, admin"):
        Role.parse(text)


@given(st.text(max_size=10))
def test_only_the_names_of_roles_are_roles(text: str) -> None:
    try:
        found = Role.parse(text)
    except ValueError:
        assert text not in NAMES
    else:
        assert str(found) == text


def test_every_access_to_a_repository_has_a_role_and_an_action() -> None:
    accesses = set(get_args(Access))

    assert NEEDED.keys() == accesses - {"open", "check", "catalog"}
    assert ACTIONS.keys() == accesses - {"open", "check"}


def test_an_access_needs_the_role_of_its_name() -> None:
    assert {access: str(role) for access, role in NEEDED.items()} == {
        "see": "pull",
        "pull": "pull",
        "create": "create",
        "push": "push",
        "maintain": "maintain",
        "admin": "admin",
    }


def test_an_action_of_less_opens_no_access_of_more() -> None:
    strength = ["pull", "push", "delete", "*"]
    by_role = sorted(NEEDED, key=lambda access: NEEDED[access])

    ranks = [strength.index(ACTIONS[access]) for access in by_role]

    assert ranks == sorted(ranks)


def test_the_tables_cannot_be_changed() -> None:
    for table in (NEEDED, ACTIONS):
        with pytest.raises(TypeError):
            table["pull"] = Role.ADMIN  # type: ignore[index]
