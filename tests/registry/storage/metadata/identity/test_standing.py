"""Standing: roles add up from the principal's own grants, its groups', everyone's, anonymous'."""

import pytest
from sqlalchemy import Connection, text

from registry.auth.decision import Narrowing
from registry.auth.patterns import Pattern, matching
from registry.auth.roles import Role
from registry.storage.metadata.identity import grants, principals, tokens
from registry.storage.metadata.identity.principals import Kind
from registry.storage.metadata.identity.standing import by_patterns, format_limits, parse_limits
from registry.storage.metadata.identity.tables import ANONYMOUS_ID, EVERYONE_ID
from tests.support.registry.principals import (
    a_grant,
    a_principal,
    a_token,
    role_of,
    standing_of,
)


@pytest.fixture
def ada(connection: Connection) -> int:
    return a_principal(connection, "ada")


def test_a_principal_without_grants_holds_no_role(connection: Connection, ada: int) -> None:
    found = standing_of(connection, ada, "team/app")

    assert found is not None
    assert (found.name, found.role, found.version) == ("ada", None, 1)
    flags = (found.disabled_at, found.is_owner, found.is_auditor, found.token)
    assert flags == (None, 0, 0, None)


@pytest.mark.parametrize("pattern", ["team/app", "team/*", "*"])
def test_an_own_grant_counts_on_its_pattern_alone(
    connection: Connection, ada: int, pattern: str
) -> None:
    a_grant(connection, ada, Role.CREATE, pattern)

    assert role_of(connection, ada, "team/app") is Role.CREATE
    elsewhere = Role.CREATE if pattern == "*" else None
    assert role_of(connection, ada, "other/app") is elsewhere
    assert role_of(connection, ada, "team") is elsewhere


def test_the_highest_of_several_roles_counts(connection: Connection, ada: int) -> None:
    a_grant(connection, ada, Role.MAINTAIN, "team/*")
    a_grant(connection, ada, Role.PULL, "team/app")
    a_grant(connection, ada, Role.PUSH, "*")

    assert role_of(connection, ada, "team/app") is Role.MAINTAIN


def test_a_group_gives_its_members_its_roles(connection: Connection, ada: int) -> None:
    group = a_principal(connection, "leads", "group")
    a_grant(connection, group, Role.MAINTAIN, "team/*")
    principals.add_member(connection, group, ada)

    assert role_of(connection, ada, "team/app") is Role.MAINTAIN
    principals.remove_member(connection, group, ada)
    assert role_of(connection, ada, "team/app") is None


def test_a_member_of_no_group_gets_nothing_from_groups(connection: Connection, ada: int) -> None:
    group, bob = a_principal(connection, "leads", "group"), a_principal(connection, "bob")
    a_grant(connection, group, Role.ADMIN, "*")
    principals.add_member(connection, group, bob)

    assert role_of(connection, ada, "team/app") is None
    assert role_of(connection, ANONYMOUS_ID, "team/app") is None
    assert role_of(connection, bob, "team/app") is Role.ADMIN


def test_a_member_of_one_group_gets_nothing_from_another(connection: Connection, ada: int) -> None:
    own, other = (a_principal(connection, name, "group") for name in ("own", "other"))
    a_grant(connection, own, Role.PULL, "team/*")
    a_grant(connection, other, Role.ADMIN, "team/*")
    principals.add_member(connection, own, ada)
    principals.add_member(connection, other, a_principal(connection, "bob"))

    assert role_of(connection, ada, "team/app") is Role.PULL


def test_everyone_is_all_who_are_signed_in_and_not_anonymous(
    connection: Connection, ada: int
) -> None:
    a_grant(connection, EVERYONE_ID, Role.PUSH, "team/*")

    assert role_of(connection, ada, "team/app") is Role.PUSH
    assert role_of(connection, ANONYMOUS_ID, "team/app") is None


def test_a_grant_of_anonymous_counts_for_all_callers(connection: Connection, ada: int) -> None:
    a_grant(connection, ANONYMOUS_ID, Role.PULL, "team/*")

    assert role_of(connection, ada, "team/app") is Role.PULL
    assert role_of(connection, ANONYMOUS_ID, "team/app") is Role.PULL


def test_the_grants_of_another_principal_do_not_count(connection: Connection, ada: int) -> None:
    bob = a_principal(connection, "bob")
    a_grant(connection, bob, Role.ADMIN, "*")

    assert role_of(connection, ada, "team/app") is None
    assert role_of(connection, bob, "team/app") is Role.ADMIN


def test_a_pattern_with_the_user_in_it_is_each_users_own(connection: Connection, ada: int) -> None:
    a_grant(connection, EVERYONE_ID, Role.PUSH, "{user}/*")

    assert role_of(connection, ada, "ada/app", user="ada") is Role.PUSH
    assert role_of(connection, ada, "bob/app", user="ada") is None


def test_a_disabled_principal_is_found_and_said_to_be(connection: Connection, ada: int) -> None:
    principals.change_row(connection, ada, disabled_at=5)

    found = standing_of(connection, ada)

    assert found is not None
    assert (found.disabled_at, found.version) == (5, 2)


def test_the_flags_of_a_principal_are_its_own(connection: Connection, ada: int) -> None:
    bob = a_principal(connection, "bob")
    principals.change_row(connection, ada, is_owner=1)
    principals.change_row(connection, bob, is_auditor=1)

    one, other = standing_of(connection, ada), standing_of(connection, bob)

    assert one is not None
    assert other is not None
    assert (one.is_owner, one.is_auditor) == (True, False)
    assert (other.is_owner, other.is_auditor) == (False, True)


def test_a_removed_principal_has_no_standing(connection: Connection, ada: int) -> None:
    a_grant(connection, EVERYONE_ID, Role.PULL, "*")
    principals.remove(connection, ada)

    assert standing_of(connection, ada, "team/app") is None


def test_only_a_token_of_the_principal_itself_counts(connection: Connection, ada: int) -> None:
    bob = a_principal(connection, "bob")
    secret = a_token(connection, bob, expires_at=7)

    of_ada = standing_of(connection, ada, token=secret.id)
    of_bob = standing_of(connection, bob, token=secret.id)

    assert of_ada is not None
    assert of_bob is not None
    assert (of_ada.token, of_ada.expires_at) == (None, None)
    assert (of_bob.token, of_bob.expires_at) == (secret.id, 7)


def test_a_revoked_token_is_not_found(connection: Connection, ada: int) -> None:
    kept, revoked = a_token(connection, ada), a_token(connection, ada)

    tokens.remove(connection, revoked.id)

    found = [standing_of(connection, ada, token=each.id) for each in (kept, revoked)]
    assert [each.token for each in found if each is not None] == [kept.id, None]


def test_the_limits_are_those_of_the_token_that_was_used(connection: Connection, ada: int) -> None:
    limits = (Narrowing(Role.PULL, Pattern("team/*")), Narrowing(Role.PUSH, Pattern("{user}/*")))
    narrow, nothing = a_token(connection, ada, limits=limits), a_token(connection, ada, limits=())
    wide = a_token(connection, ada)

    found = [standing_of(connection, ada, token=each.id) for each in (narrow, nothing, wide)]

    given = [each.limits for each in found if each is not None]
    assert [None if each is None else parse_limits(each) for each in given] == [limits, (), None]


def test_limits_are_read_as_they_were_written() -> None:
    limits = tuple(Narrowing(role, Pattern("a/*")) for role in Role)

    assert parse_limits(format_limits(limits)) == limits


@pytest.mark.parametrize("name", ["", "team/app", "a/b/c/d/e/ada/g"])
def test_the_query_seeks_in_indexes_and_scans_no_table(connection: Connection, name: str) -> None:
    patterns = matching(name, "ada") if name else ()
    read = by_patterns(len(patterns))
    values = dict(zip(read._parameters, ("3", "token", *patterns), strict=True))

    plan = connection.execute(text("EXPLAIN QUERY PLAN " + read._text), values).all()

    steps = [row[3] for row in plan]
    tables = ("principals", "tokens", *(("grants", "members") if name else ()))
    assert [step for step in steps if step.startswith("SCAN") and "CONSTANT" not in step] == []
    assert all(any(step.startswith(f"SEARCH {table}") for step in steps) for table in tables)


@pytest.mark.parametrize(("kind", "role"), [("user", Role.PUSH), ("robot", None)])
def test_user_in_a_pattern_stands_for_users_alone(
    connection: Connection, kind: Kind, role: Role | None
) -> None:
    """The maker of a robot chooses its name, and would choose the repositories with it."""
    ada = a_principal(connection, "ada", kind)
    a_grant(connection, EVERYONE_ID, Role.PUSH, "{user}/*")

    found = standing_of(connection, ada, "ada/app")

    assert found is not None
    assert found.role == role
    assert [each.role for each in grants.held_by(connection, ada)] == (
        [] if role is None else [role]
    )
