"""Rows of the trash: files and memberships by the end of their window, and where they go back."""

from sqlalchemy import Connection

from oci.digest import Digest
from registry.storage.metadata import blobs, repositories
from registry.storage.metadata.blobs import StoredBlob
from registry.storage.metadata.trash import manifests, put, rows
from registry.storage.metadata.trash.rows import TrashedFile, UndeleteTargets
from registry.storage.retention import Cutoff
from tests.support.registry.rows import (
    EARLY,
    LATE,
    NAME,
    OTHER,
    a_blob,
    a_manifest,
    a_repository,
)

# The window of EARLY's deletions is over, that of LATE's is not.
CUTOFF = Cutoff(at=1_500, epoch=1, beyond=10**6)
DIGEST = Digest.of(b"content")


def trash(connection: Connection, *names: str) -> None:
    for name in names:
        put.move_replaced_to_trash(connection, EARLY, DIGEST, name, 3)


def physicals(found: list[TrashedFile]) -> list[str]:
    return [each.physical for each in found]


def test_files_are_found_in_pages_once_their_window_is_over(connection: Connection) -> None:
    trash(connection, "b", "a", "c")
    put.move_replaced_to_trash(connection, LATE, DIGEST, "late", 3)

    first = rows.expired_files(connection, CUTOFF, 2)
    second = rows.expired_files(connection, CUTOFF, 2, first[-1])

    assert (physicals(first), physicals(second)) == (["a", "b"], ["c"])
    assert rows.expired_bytes(CUTOFF, connection) == (3, 9)
    rows.delete_files(connection, ["a", "c"])
    assert physicals(rows.expired_files(connection, CUTOFF, 9)) == ["b"]


def test_a_file_that_a_blob_names_is_never_found(connection: Connection) -> None:
    trash(connection, "a")
    blobs.add(connection, LATE, DIGEST, StoredBlob(3, "a"), corrupt=None)

    assert rows.expired_files(connection, CUTOFF, 9) == []
    assert rows.expired_bytes(CUTOFF, connection) == (0, 0)
    assert rows.find_file(connection, DIGEST) is None


def test_a_blob_gets_its_newest_file_back(connection: Connection) -> None:
    trash(connection, "old")
    put.move_replaced_to_trash(connection, LATE, DIGEST, "new", 4)

    found = rows.find_file(connection, DIGEST)
    assert found == TrashedFile("new", str(DIGEST), 4)
    rows.undelete_file(connection, LATE, found)

    assert blobs.find(connection, DIGEST) == StoredBlob(4, "new")
    assert physicals(rows.expired_files(connection, CUTOFF, 9)) == ["old"]


def test_some_rows_are_deleted_when_their_window_is_over(
    connection: Connection, repository: int
) -> None:
    for change, content in ((EARLY, b"1"), (EARLY, b"2"), (LATE, b"3")):
        blobs.remove_member(connection, change, repository, a_blob(connection, repository, content))
        manifest = a_manifest(connection, repository, content)
        manifests.put_manifest(connection, change, repository, manifest, [])
    assert rows.has_expired_rows(connection, CUTOFF)

    deleted = [rows.delete_expired_rows(connection, CUTOFF, 1) for _ in range(3)]

    assert deleted == [2, 2, 0]
    assert not rows.has_expired_rows(connection, CUTOFF)
    late = Digest.of(b"3")
    assert rows.blob_targets(connection, late) == UndeleteTargets((repository,), ())
    assert rows.manifest_targets(connection, late) == UndeleteTargets((repository,), ())
    assert rows.blob_targets(connection, Digest.of(b"1")) == UndeleteTargets((), ())


def test_content_of_a_deleted_repository_goes_back_once_that_is_back(
    connection: Connection, repository: int
) -> None:
    other = a_repository(connection, OTHER)
    for each in (repository, other):
        a_blob(connection, each, b"content")
    for each in (repository, other):
        blobs.remove_member(connection, EARLY, each, DIGEST)
    repositories.mark_deleted(connection, LATE, other, OTHER)

    found = rows.blob_targets(connection, DIGEST)

    assert found == UndeleteTargets((repository,), (str(OTHER),))
    rows.delete_member(connection, repository, DIGEST)
    assert rows.blob_targets(connection, DIGEST) == UndeleteTargets((), (str(OTHER),))
    assert repositories.find(connection, NAME) == repository
