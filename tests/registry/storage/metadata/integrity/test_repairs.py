"""Repairs: rows that lead nowhere go, rows that lead somewhere stay."""

import pytest
from sqlalchemy import Connection, delete, func, select, text, update

from registry.storage.metadata import blobs, edges
from registry.storage.metadata import tables as t
from registry.storage.metadata.integrity import checks, repairs
from tests.support.registry.rows import LATE, a_blob, a_child, a_layer, a_manifest


@pytest.fixture
def full(connection: Connection, repository: int) -> Connection:
    """A layer, a child that names it, an index that names that, and a tag on each."""
    layer = a_blob(connection, repository, b"layer")
    child = a_manifest(connection, repository, b"child", "child", named=[a_layer(layer)])
    a_manifest(connection, repository, b"index", "index", named=[a_child(child)])
    # Checked at the commit, which the fixture takes back.
    connection.execute(text("PRAGMA defer_foreign_keys = ON"))
    return connection


def count(connection: Connection, table: str) -> int:
    return connection.scalar(select(func.count()).select_from(t.metadata.tables[table])) or 0


def dangling(connection: Connection) -> int:
    return len(connection.exec_driver_sql("PRAGMA foreign_key_check").all())


def test_nothing_is_done_to_rows_that_are_right(full: Connection) -> None:
    assert repairs.delete_dangling_rows(full, LATE) == ""
    assert (count(full, "tags"), count(full, "manifest_edges")) == (2, 2)


def test_an_edge_to_a_lost_membership_is_absent(full: Connection) -> None:
    full.execute(delete(t.memberships))

    assert repairs.delete_dangling_rows(full, LATE) == "1 rows made absent"

    assert dangling(full) == 0
    assert (count(full, "manifest_edges"), count(full, "tags")) == (2, 2)


def test_a_membership_of_a_lost_blob_goes_with_the_link_to_it(full: Connection) -> None:
    full.execute(delete(t.blobs))

    assert repairs.delete_dangling_rows(full, LATE) == "2 rows made absent"

    assert (dangling(full), count(full, "repo_blobs")) == (0, 0)


def test_tags_and_edges_of_a_lost_manifest_go(full: Connection) -> None:
    full.execute(delete(t.manifests).where(t.manifests.c.content == b"child"))

    assert repairs.delete_dangling_rows(full, LATE) == "3 rows made absent"

    assert (dangling(full), count(full, "tags"), count(full, "manifest_edges")) == (0, 1, 1)
    last = full.execute(select(t.tag_history).order_by(t.tag_history.c.id.desc())).first()
    assert last is not None
    assert (last.tag, last.digest) == ("child", None)


def test_edges_are_linked_some_at_a_time(
    full: Connection, repository: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edges, "MAX_LINKS", 2)
    layer = a_blob(full, repository, b"layer")
    a_manifest(full, repository, b"many", named=[a_layer(layer)] * 4)
    full.execute(update(t.manifest_edges).values(blob=None))

    left = [repairs.link_edges(full, str(layer)) for _ in range(3)]

    assert left == [True, True, False]
    edge = t.manifest_edges.c
    assert full.scalar(select(func.count()).where(edge.blob == str(layer))) == 5


def test_a_manifest_that_has_changed_since_is_not_marked(full: Connection) -> None:
    child, _ = checks.manifests_after(full, (0, ""))
    full.execute(update(t.manifest_edges).values(size=77))
    assert repairs.mark_manifest_corrupt(full, LATE, child) == ""

    child, _ = checks.manifests_after(full, (0, ""))
    assert repairs.mark_manifest_corrupt(full, LATE, child) == "marked corrupt"
    assert count(full, "corrupt_manifests") == 1


def test_bytes_are_marked_corrupt_once(full: Connection, repository: int) -> None:
    digest = a_blob(full, repository, b"content")

    marked = [repairs.mark_blob_corrupt(full, name) for name in ("content", "content", "none")]

    assert marked == ["marked corrupt", "", ""]
    assert blobs.find(full, digest) is None
