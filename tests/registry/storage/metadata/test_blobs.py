"""Blobs: one row for its bytes, one for each repository that has it."""

import pytest
from sqlalchemy import Connection, select

from oci.digest import Digest
from oci.reference import RepositoryName
from registry.storage.metadata import blobs
from registry.storage.metadata.blobs import StoredBlob
from registry.storage.metadata.tables import trash
from registry.storage.retention import Lease
from tests.support.registry.rows import EARLY, LATE, NAME, OTHER, a_blob, a_repository


def trashed(connection: Connection) -> list[tuple[str, int]]:
    return [(row.physical, row.epoch) for row in connection.execute(select(trash))]


def lease_of(connection: Connection, name: RepositoryName, digest: Digest) -> Lease:
    found = blobs.LEASED.first(connection, name, digest)
    assert found is not None
    assert found.value == 5
    return found.lease


def test_a_blob_is_seen_only_where_it_is_a_member(connection: Connection, repository: int) -> None:
    a_repository(connection, OTHER)
    digest = a_blob(connection, repository, b"bytes")

    assert blobs.find_member(connection, NAME, digest) == StoredBlob(5, "bytes")
    assert blobs.find_member(connection, OTHER, digest) is None
    assert blobs.find(connection, digest) == StoredBlob(5, "bytes")
    assert blobs.SESSION.first(connection, NAME, digest) == "session"
    assert blobs.SESSION.first(connection, OTHER, digest) is None


def test_bytes_that_are_here_are_kept(connection: Connection, repository: int) -> None:
    digest = a_blob(connection, repository, b"bytes")

    taken = blobs.add(connection, LATE, digest, StoredBlob(5, "again"), corrupt=None)

    assert not taken
    assert blobs.find(connection, digest) == StoredBlob(5, "bytes")
    assert trashed(connection) == []


@pytest.mark.parametrize("marked", [True, False], ids=["corrupt", "found corrupt"])
def test_corrupt_bytes_are_replaced_and_go_to_the_trash(
    connection: Connection, repository: int, marked: bool
) -> None:
    digest = a_blob(connection, repository, b"bytes")
    if marked:
        assert blobs.mark_corrupt(connection, "bytes")
    corrupt = None if marked else "bytes"

    taken = blobs.add(connection, LATE, digest, StoredBlob(5, "again"), corrupt=corrupt)

    assert taken
    assert blobs.find_member(connection, NAME, digest) == StoredBlob(5, "again")
    assert trashed(connection) == [("bytes", LATE.epoch)]


def test_a_corrupt_blob_is_as_good_as_absent(connection: Connection, repository: int) -> None:
    digest = a_blob(connection, repository, b"bytes")

    assert blobs.mark_corrupt(connection, "bytes")

    assert blobs.find_member(connection, NAME, digest) is None
    assert blobs.LEASED.first(connection, NAME, digest) is None
    assert blobs.VERIFICATION.first(connection, digest) is None
    assert blobs.repositories_with(connection, digest, last="", limit=9) == []
    assert blobs.IS_CORRUPT.first(connection, NAME, digest)
    assert blobs.exists(connection, digest)
    assert blobs.is_member(connection, repository, digest)
    assert not blobs.mark_corrupt(connection, "bytes"), "it was marked before"


def test_bytes_that_a_push_replaced_meanwhile_are_not_marked(
    connection: Connection, repository: int
) -> None:
    digest = a_blob(connection, repository, b"bytes")
    blobs.add(connection, LATE, digest, StoredBlob(5, "again"), corrupt="bytes")

    assert not blobs.mark_corrupt(connection, "bytes")
    assert not blobs.IS_CORRUPT.first(connection, NAME, digest)


def test_pushing_again_begins_the_lease_anew(connection: Connection, repository: int) -> None:
    digest = a_blob(connection, repository, b"bytes")

    blobs.add_member(connection, LATE, repository, digest, None)

    assert lease_of(connection, NAME, digest) == LATE.lease


def test_renewing_begins_the_lease_anew_of_this_membership_alone(
    connection: Connection, repository: int
) -> None:
    other = a_repository(connection, OTHER)
    digest = a_blob(connection, repository, b"bytes")
    a_blob(connection, other, b"bytes")

    blobs.renew_lease(connection, LATE, repository, digest)

    assert lease_of(connection, NAME, digest) == LATE.lease
    assert lease_of(connection, OTHER, digest) == EARLY.lease


def test_the_last_membership_takes_the_bytes_with_it(
    connection: Connection, repository: int
) -> None:
    other = a_repository(connection, OTHER)
    digest = a_blob(connection, repository, b"bytes")
    a_blob(connection, other, b"bytes")

    assert blobs.remove_member(connection, LATE, repository, digest)
    assert blobs.exists(connection, digest)
    assert trashed(connection) == []

    assert blobs.remove_member(connection, LATE, other, digest)
    assert not blobs.exists(connection, digest)
    assert trashed(connection) == [("bytes", LATE.epoch)]
    assert not blobs.remove_member(connection, LATE, other, digest), "it was none any more"


def test_repositories_with_a_blob_are_paged_in_the_order_of_their_names(
    connection: Connection, repository: int
) -> None:
    digest = a_blob(connection, a_repository(connection, OTHER), b"bytes")
    a_blob(connection, repository, b"bytes")

    assert blobs.repositories_with(connection, digest, last="", limit=1) == [NAME]
    assert blobs.repositories_with(connection, digest, last=str(NAME), limit=9) == [OTHER]


def test_what_was_never_pushed_is_nowhere(connection: Connection) -> None:
    digest = Digest.of(b"never")

    assert blobs.find(connection, digest) is None
    assert not blobs.exists(connection, digest)
    assert blobs.repositories_with(connection, digest, last="", limit=9) == []
