"""Locks: found by the patterns that match a repository."""

import pytest
from sqlalchemy import Connection

from oci.reference import RepositoryName
from registry.auth.globs import Glob
from registry.auth.patterns import Pattern
from registry.storage.metadata.identity import locks
from tests.support.registry.rows import EARLY, LATE


def test_a_lock_is_replaced_by_another_of_its_name(connection: Connection) -> None:
    assert locks.put(connection, EARLY, "releases", Pattern("*"), Glob("v*"))
    assert not locks.put(connection, LATE, "releases", Pattern("team/*"), Glob("r*"))

    [found] = locks.listed(connection)
    assert (found.name, str(found.pattern), str(found.tags)) == ("releases", "team/*", "r*")
    assert (found.created_at, found.created_by) == (LATE.at, LATE.identity)


def test_a_lock_is_removed_once(connection: Connection) -> None:
    locks.put(connection, EARLY, "one", Pattern("*"), Glob("v*"))
    locks.put(connection, EARLY, "two", Pattern("*"), Glob("v*"))

    assert locks.remove(connection, "one")
    assert not locks.remove(connection, "one")

    assert [lock.name for lock in locks.listed(connection)] == ["two"]


@pytest.mark.parametrize(
    ("repository", "names"),
    [
        ("team/app", ["all", "exact", "prefix"]),
        ("team/app/x", ["all", "prefix"]),
        ("team", ["all"]),
        ("other", ["all"]),
    ],
)
def test_the_locks_of_a_repository_are_those_whose_pattern_matches(
    connection: Connection, repository: str, names: list[str]
) -> None:
    for name, pattern in (("prefix", "team/*"), ("exact", "team/app"), ("all", "*")):
        locks.put(connection, EARLY, name, Pattern(pattern), Glob("v*"))

    found = locks.of_repository(connection, RepositoryName(repository))

    assert [lock.name for lock in found] == names


def test_the_first_lock_that_holds_a_tag_is_told(connection: Connection) -> None:
    locks.put(connection, EARLY, "b", Pattern("*"), Glob("v*"))
    locks.put(connection, EARLY, "a", Pattern("*"), Glob("v1*"))
    found = locks.listed(connection)

    told = [lock and lock.name for tag in ("v1.2", "v2", "V1") for lock in [locks.find(found, tag)]]

    assert told == ["a", "b", None]
