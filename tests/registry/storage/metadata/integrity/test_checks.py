"""Checks: rows page by page, rules that rows break, and the tags that depend on content."""

import pytest
from sqlalchemy import Connection, insert, update

from oci.digest import Digest
from registry.storage.metadata import audit, blobs, manifests
from registry.storage.metadata import tables as t
from registry.storage.metadata.integrity import checks
from registry.storage.metadata.trash import put
from tests.support.registry.rows import (
    EARLY,
    LATE,
    OTHER,
    a_blob,
    a_child,
    a_layer,
    a_manifest,
    a_repository,
)


def violations(connection: Connection) -> list[tuple[str, str]]:
    """The words and the subject of each row that breaks a rule."""
    return [
        (rule.found, row[0])
        for rule in checks.RULES
        for row in checks.rule_violations(connection, rule)
    ]


def test_rows_that_are_right_break_no_rule(connection: Connection, repository: int) -> None:
    layer = a_blob(connection, repository, b"layer")
    child = a_manifest(connection, repository, b"child", "v1", named=[a_layer(layer)])
    absent = [a_child(child), a_child(Digest.of(b"absent")), a_layer(Digest.of(b"absent too"))]
    a_manifest(connection, repository, b"index", "v2", named=absent)

    assert violations(connection) == []


def test_edges_to_content_that_is_here_are_told_once_for_each_manifest(
    connection: Connection, repository: int
) -> None:
    layer, child = (
        a_blob(connection, repository, b"layer"),
        a_manifest(connection, repository, b"child"),
    )
    corrupt = a_blob(connection, repository, b"corrupt")
    blobs.mark_corrupt(connection, "corrupt")
    named = [a_layer(layer), a_layer(layer), a_child(child), a_child(child), a_layer(corrupt)]
    a_manifest(connection, repository, b"parent", named=named)
    connection.execute(update(t.manifest_edges).values(blob=None, manifest=None))

    assert violations(connection) == [
        ("an edge says that the blob is absent", str(layer)),
        ("an edge says that the manifest is absent", str(child)),
    ]


def test_a_tag_is_where_its_history_left_it(connection: Connection, repository: int) -> None:
    a_manifest(connection, repository, b"content", "v1", "v2")
    connection.execute(update(t.tags).where(t.tags.c.name == "v1").values(version=9))

    assert [subject for _, subject in violations(connection)] == ["team/app:v1"]


def test_bytes_of_a_blob_that_are_in_the_trash_too_are_found(
    connection: Connection, repository: int
) -> None:
    digest = a_blob(connection, repository, b"content")
    put.move_replaced_to_trash(connection, LATE, digest, "content", 7)

    assert [subject for _, subject in violations(connection)] == [str(digest)]


def test_blobs_and_manifests_come_in_pages(
    connection: Connection, repository: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "BLOBS_PER_BATCH", 2)
    made = sorted(str(a_blob(connection, repository, b"%d" % number)) for number in range(5))
    found: list[str] = []
    while page := checks.blobs_after(connection, found[-1] if found else ""):
        found += [row.digest for row in page]

    assert found == made


def test_a_manifests_row_comes_with_its_edges(connection: Connection, repository: int) -> None:
    named = (a_layer(Digest.of(b"1")), a_child(Digest.of(b"2")))
    digest = a_manifest(connection, repository, b"content", named=named)
    manifests.mark_corrupt(connection, LATE, repository, digest)

    [row] = checks.manifests_after(connection, (0, ""))

    assert (row.repository, row.digest, row.content) == ("team/app", str(digest), b"content")
    assert (row.edges, row.is_marked_corrupt) == (named, True)
    assert checks.manifests_after(connection, (repository, str(digest))) == []
    assert checks.is_manifest_unchanged(connection, row)
    connection.execute(update(t.manifest_edges).values(size=1))
    assert not checks.is_manifest_unchanged(connection, row)


def test_the_least_verified_come_first(connection: Connection, repository: int) -> None:
    times = {b"never": None, b"old": 10, b"older": 5, b"recent": 90, b"future": 1_000}
    for content, verified in times.items():
        a_blob(connection, repository, content)
        row = t.blobs.c
        connection.execute(
            update(t.blobs).where(row.physical == content.decode()).values(verified_at=verified)
        )
    a_blob(connection, repository, b"corrupt")
    blobs.mark_corrupt(connection, "corrupt")

    found = checks.least_verified(connection, before=50, now=100, limit=9)

    assert [row.physical for row in found] == ["never", "older", "old", "future"]
    blobs.mark_verified(connection, ["never", "older"], 99)
    assert [
        row.physical for row in checks.least_verified(connection, before=50, now=100, limit=1)
    ] == ["old"]


def test_a_blobs_row_is_unchanged_until_it_is_marked(
    connection: Connection, repository: int
) -> None:
    a_blob(connection, repository, b"content")
    [row] = checks.blobs_after(connection, "")
    assert checks.is_unchanged(connection, row)

    blobs.mark_corrupt(connection, "content")

    assert not checks.is_unchanged(connection, row)


def test_tags_are_affected_through_all_that_names_the_content(
    connection: Connection, repository: int
) -> None:
    layer = a_blob(connection, repository, b"layer")
    child = a_manifest(connection, repository, b"child", "child", named=[a_layer(layer)])
    a_manifest(connection, repository, b"index", "index", named=[a_child(child)])
    a_manifest(connection, repository, b"other", "other")
    a_manifest(connection, a_repository(connection, OTHER), b"child", "elsewhere")

    assert checks.tags_on_blob(connection, str(layer)) == ("team/app:child", "team/app:index")
    assert checks.tags_on_manifest(connection, repository, str(child)) == (
        "team/app:child",
        "team/app:index",
    )


def test_an_audit_row_that_was_altered_is_found(connection: Connection) -> None:
    for number in range(3):
        audit.append(connection, EARLY, "blob.push", "team/app", f"target {number}")
    assert checks.mismatched_audit_rows(connection) == []

    connection.execute(update(t.audit).where(t.audit.c.id == 2).values(target="another"))

    assert checks.mismatched_audit_rows(connection) == [2]


def test_open_sessions_and_trashed_manifests_are_listed(
    connection: Connection, repository: int
) -> None:
    values = {"identity": "alice", "algorithm": "sha256", "created_at": 1, "idle_epoch": 0}
    connection.execute(insert(t.uploads).values(id="s", repository="team/app", **values))
    digest = a_manifest(connection, repository, b"content")
    manifests.remove(connection, LATE, repository, digest)

    assert checks.open_sessions(connection) == [("s", "team/app")]
    [row] = checks.trashed_after(connection, 0)
    assert (row.repository, row.digest, row.content) == ("team/app", str(digest), b"content")
    assert checks.trashed_after(connection, row.id) == []
