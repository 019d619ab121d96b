"""Put into the trash: memberships are remembered, and bytes move with the last of them."""

from sqlalchemy import Connection, delete, select

from oci.digest import Digest
from registry.storage.metadata import blobs
from registry.storage.metadata.tables import memberships, trash, trash_members
from registry.storage.metadata.trash import put
from registry.storage.metadata.trash.put import Freed
from tests.support.registry.rows import EARLY, LATE, OTHER, a_blob, a_repository


def leave(connection: Connection, repository: int, digest: Digest) -> tuple[int, str]:
    """Delete a membership, as the callers of ``move_to_trash`` do before."""
    row = memberships.c
    connection.execute(
        delete(memberships).where(row.repository_id == repository, row.digest == str(digest))
    )
    return repository, str(digest)


def test_bytes_stay_until_the_last_membership_goes(connection: Connection, repository: int) -> None:
    other = a_repository(connection, OTHER)
    digest = a_blob(connection, repository, b"content")
    blobs.add_member(connection, EARLY, other, digest, None)

    first = put.move_to_trash(connection, EARLY, [leave(connection, repository, digest)])
    assert (first, blobs.exists(connection, digest)) == (Freed(members=1), True)
    second = put.move_to_trash(connection, LATE, [leave(connection, other, digest)])

    assert second == Freed(members=1, blobs=1, bytes=7)
    assert not blobs.exists(connection, digest)
    [row] = connection.execute(select(trash)).all()
    assert (row.physical, row.digest, row.size) == ("content", str(digest), 7)
    assert (row.deleted_at, row.epoch, row.run) == (LATE.at, LATE.epoch, LATE.identity)


def test_a_membership_that_went_twice_is_remembered_as_of_the_last_time(
    connection: Connection, repository: int
) -> None:
    for change in (EARLY, LATE):
        digest = a_blob(connection, repository, b"content")
        connection.execute(delete(trash))
        put.move_to_trash(connection, change, [leave(connection, repository, digest)])

    [row] = connection.execute(select(trash_members)).all()
    assert (row.repository_id, row.digest, row.deleted_at) == (repository, str(digest), LATE.at)


def test_nothing_moves_for_no_memberships(connection: Connection) -> None:
    assert put.move_to_trash(connection, EARLY, []) == Freed()
