"""Upload sessions: opened before their first byte, and ended once."""

from sqlalchemy import Connection

from registry.storage.metadata import uploads
from registry.storage.metadata.uploads import Counts, StoredUpload
from tests.support.registry.rows import EARLY, LATE, NAME, OTHER


def test_a_session_is_one_of_its_own_repository_only(connection: Connection) -> None:
    uploads.add(connection, EARLY, NAME, "one", "sha512", "10.0.0.1")

    assert uploads.FIND.first(connection, "one", NAME) == StoredUpload(
        "one", "sha512", EARLY.at, EARLY.identity, EARLY.at
    )
    assert uploads.FIND.first(connection, "one", OTHER) is None
    assert not uploads.end(connection, OTHER, "one")


def test_only_the_first_end_of_a_session_succeeds(connection: Connection) -> None:
    uploads.add(connection, EARLY, NAME, "one", "sha256")

    assert uploads.end(connection, NAME, "one")
    assert not uploads.end(connection, NAME, "one")
    assert uploads.FIND.first(connection, "one", NAME) is None


def test_a_touch_is_remembered(connection: Connection) -> None:
    uploads.add(connection, EARLY, NAME, "one", "sha256")

    uploads.touch(connection, LATE, "one")

    [found] = uploads.list_open(connection)
    assert (found.created_at, found.created_epoch) == (EARLY.at, EARLY.epoch)
    assert (found.touched_at, found.touched_epoch) == (LATE.at, LATE.epoch)


def test_open_sessions_are_listed_and_counted_by_whose_they_are(connection: Connection) -> None:
    uploads.add(connection, LATE, OTHER, "late", "sha256", "10.0.0.1")
    uploads.add(connection, EARLY, NAME, "early", "sha256", "10.0.0.1")
    uploads.add(connection, EARLY, NAME, "second", "sha256", "10.0.0.2")

    assert [each.id for each in uploads.list_open(connection)][-1] == "late"
    assert uploads.count(connection, "alice", "10.0.0.1") == Counts(2, 2, 3)
    assert uploads.count(connection, "nobody", "10.0.0.9") == Counts(0, 0, 3)
