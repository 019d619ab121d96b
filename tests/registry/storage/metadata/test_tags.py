"""Tags: where they point, and the history of where they pointed."""

import pytest
from sqlalchemy import Connection, event

from oci.digest import Digest
from oci.reference import Tag
from registry.storage.metadata import manifests, tags
from registry.storage.metadata.tags import TagChange
from tests.support.registry.rows import LATE, NAME, OTHER, a_manifest, a_repository

V1, V2 = Tag("v1"), Tag("v2")


@pytest.fixture
def first(connection: Connection, repository: int) -> Digest:
    return a_manifest(connection, repository, b"first", "v1", "v2")


@pytest.fixture
def second(connection: Connection, repository: int) -> Digest:
    return a_manifest(connection, repository, b"second")


def test_a_tag_that_moves_leaves_its_history(
    connection: Connection, repository: int, first: Digest, second: Digest
) -> None:
    assert tags.set_tag(connection, LATE, repository, V1, second)
    assert tags.set_tag(connection, LATE, repository, V1, None)

    assert tags.find(connection, repository, V1) is None
    assert tags.last_digest(connection, repository, V1) == second
    assert tags.history(connection, NAME, V1) == [
        TagChange("v1", 1, 1_000, "alice", None, str(first)),
        TagChange("v1", 2, 2_000, "bob", str(first), str(second)),
        TagChange("v1", 3, 2_000, "bob", str(second), None),
    ]
    assert tags.history(connection, OTHER, None) == []


def test_what_changes_nothing_leaves_nothing(
    connection: Connection, repository: int, first: Digest
) -> None:
    assert not tags.set_tag(connection, LATE, repository, V1, first)
    assert not tags.set_tag(connection, LATE, repository, Tag("none"), None)

    assert len(tags.history(connection, NAME, None)) == 2


def test_only_the_tags_that_change_are_told(
    connection: Connection, repository: int, first: Digest, second: Digest
) -> None:
    tags.set_tag(connection, LATE, repository, V1, second)

    changed = tags.change_all(connection, LATE, repository, [V1, V2, V2, Tag("v3")], second)

    assert changed == {V2: str(first), Tag("v3"): None}
    assert tags.current_digests(connection, repository, [V1, V2, Tag("v4")]) == {
        "v1": str(second),
        "v2": str(second),
    }


def test_a_manifest_that_loses_a_tag_has_a_lease_from_then_on(
    connection: Connection, repository: int, first: Digest
) -> None:
    tags.set_tag(connection, LATE, repository, V1, None)

    found = manifests.LEASED.by(first).first(connection, NAME, first)
    assert found is not None
    assert found.lease == LATE.lease


def test_names_are_paged_in_byte_order(connection: Connection, repository: int) -> None:
    a_manifest(connection, repository, b"many", "b", "B", "a", "_")

    assert tags.names(connection, repository, last=None, limit=3) == [Tag("B"), Tag("_"), Tag("a")]
    assert tags.names(connection, repository, last="_", limit=None) == [Tag("a"), Tag("b")]
    assert tags.names(connection, repository, last="Z", limit=1) == [Tag("_")]


def test_the_tags_of_a_manifest_are_its_own(
    connection: Connection, repository: int, first: Digest, second: Digest
) -> None:
    assert tags.tags_of(connection, repository, first, limit=9) == [V1, V2]
    assert tags.tags_of(connection, repository, first, limit=1) == [V1]
    assert tags.tags_of(connection, repository, second, limit=9) == []


def test_the_tags_that_were_changed_since_are_those_of_the_repository_that_exist(
    connection: Connection, repository: int, first: Digest, second: Digest
) -> None:
    before = tags.newest_change(connection)
    assert tags.changed_since(connection, repository, before) == []

    a_manifest(connection, a_repository(connection, OTHER), b"elsewhere", "v1", "v4")
    tags.change_all(connection, LATE, repository, [V2, Tag("v3")], second)
    tags.set_tag(connection, LATE, repository, V2, first)
    tags.set_tag(connection, LATE, repository, V1, None)

    assert tags.changed_since(connection, repository, before) == [V2, Tag("v3")]
    assert tags.changed_since(connection, repository, tags.newest_change(connection)) == []


def test_the_changes_since_are_found_without_those_before(
    connection: Connection, repository: int, first: Digest
) -> None:
    """A repository has many tags and a long history; the write lock is held meanwhile."""
    plans: list[str] = []

    def explain(_: object, cursor: object, statement: str, given: object, *more: object) -> None:
        if "tag_history" in statement and not statement.startswith("EXPLAIN"):
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given)  # type: ignore[arg-type]
            plans.extend(row[3] for row in rows)

    event.listen(connection, "before_cursor_execute", explain)
    tags.changed_since(connection, repository, 0)

    assert plans == ["SEARCH tag_history USING INTEGER PRIMARY KEY (rowid>?)"]
