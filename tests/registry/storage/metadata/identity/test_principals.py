"""Principals: their rows, their groups, and what goes with one that is removed."""

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from registry.auth.names import PrincipalName
from registry.auth.roles import Role
from registry.storage.metadata.identity import principals
from registry.storage.metadata.identity.tables import ANONYMOUS_ID, EVERYONE_ID
from tests.support.registry.principals import a_grant, a_principal, a_token
from tests.support.registry.rows import EARLY

HASH = "a hash"


def count(connection: Connection, table: str) -> int:
    return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())  # noqa: S608


def test_a_principal_is_found_by_its_name(connection: Connection) -> None:
    added = principals.add(
        connection, EARLY, PrincipalName("ada"), "user", password=HASH, is_auditor=True
    )

    found = principals.find(connection, "ada")

    assert found is not None
    assert (found.id, found.name, found.kind) == (added, "ada", "user")
    assert (found.password, found.is_owner, found.is_auditor) == (HASH, False, True)
    assert (found.disabled_at, found.version) == (None, 1)
    assert (found.created_at, found.created_by) == (EARLY.at, EARLY.identity)
    assert principals.find(connection, "Ada") is None


@pytest.mark.parametrize("kind", principals.KINDS)
def test_all_kinds_share_one_namespace(connection: Connection, kind: principals.Kind) -> None:
    a_principal(connection, "ada", "robot")

    with pytest.raises(IntegrityError):
        a_principal(connection, "ada", kind)


def test_the_callers_that_every_registry_has_are_there_from_the_start(
    connection: Connection,
) -> None:
    found = {
        name: (each.id, each.kind)
        for name in ("everyone", "anonymous")
        if (each := principals.find(connection, name)) is not None
    }

    assert found == {
        "everyone": (EVERYONE_ID, "everyone"),
        "anonymous": (ANONYMOUS_ID, "anonymous"),
    }
    assert principals.names(connection, None, last=None, limit=None) == []


def test_a_changed_row_counts_its_change(connection: Connection) -> None:
    ada, bob = a_principal(connection, "ada"), a_principal(connection, "bob")

    principals.change_row(connection, ada, password=HASH)
    principals.change_row(connection, ada, disabled_at=7)

    one, other = principals.find(connection, "ada"), principals.find(connection, "bob")
    assert one is not None
    assert other is not None
    assert (one.password, one.disabled_at, one.version) == (HASH, 7, 3)
    assert (other.id, other.password, other.version) == (bob, None, 1)


def test_a_removed_principal_takes_its_grants_tokens_and_memberships(
    connection: Connection,
) -> None:
    ada, bob = a_principal(connection, "ada"), a_principal(connection, "bob")
    group = a_principal(connection, "leads", "group")
    for each in (ada, bob):
        a_grant(connection, each, Role.PULL, "*")
        a_token(connection, each)
        principals.add_member(connection, group, each)

    principals.remove(connection, ada)

    assert principals.find(connection, "ada") is None
    assert [count(connection, table) for table in ("grants", "tokens", "members")] == [1, 1, 1]
    assert principals.members_of(connection, group) == ["bob"]


def test_a_removed_group_takes_its_grants_and_leaves_its_members(connection: Connection) -> None:
    ada, group = a_principal(connection, "ada"), a_principal(connection, "leads", "group")
    principals.add_member(connection, group, ada)
    a_grant(connection, group, Role.PULL, "*")

    principals.remove(connection, group)

    assert principals.groups_of(connection, ada) == []
    assert principals.find(connection, "ada") is not None
    assert count(connection, "grants") == 0


def test_the_id_of_a_removed_principal_is_never_another_ones(connection: Connection) -> None:
    used = set()
    for _ in range(3):
        id = a_principal(connection, "ada")
        assert id not in used
        used.add(id)
        principals.remove(connection, id)


def test_owners_are_counted_who_are_not_disabled(connection: Connection) -> None:
    for name in ("ada", "bob", "eve"):
        principals.add(connection, EARLY, PrincipalName(name), "user", is_owner=name != "eve")
    bob = principals.find(connection, "bob")
    assert bob is not None

    principals.change_row(connection, bob.id, disabled_at=1)

    assert principals.count_owners(connection) == 1


def test_principals_are_listed_by_name_and_paged(connection: Connection) -> None:
    a_principal(connection, "leads", "group")
    for name in ("bob", "ada", "eve"):
        a_principal(connection, name)

    users = principals.names(connection, "user", last=None, limit=2)
    rest = principals.names(connection, "user", last="bob", limit=2)
    every = principals.names(connection, None, last=None, limit=None)

    assert [each.name for each in users] == ["ada", "bob"]
    assert [each.name for each in rest] == ["eve"]
    assert [each.name for each in every] == ["ada", "bob", "eve", "leads"]


def test_a_member_is_added_and_removed_once(connection: Connection) -> None:
    ada, group = a_principal(connection, "ada"), a_principal(connection, "leads", "group")

    assert principals.add_member(connection, group, ada)
    assert not principals.add_member(connection, group, ada)
    assert principals.groups_of(connection, ada) == ["leads"]
    assert principals.remove_member(connection, group, ada)
    assert not principals.remove_member(connection, group, ada)
    assert principals.groups_of(connection, ada) == []
