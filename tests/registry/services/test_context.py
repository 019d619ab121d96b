"""Context: commits to repeat, and running backups."""

from oci.digest import Digest
from oci.reference import RepositoryName
from registry.services.context import Backups, CommittedSessions

NAME = RepositoryName("team/app")
DIGEST = Digest.of(b"content")


def test_only_the_latest_commits_may_be_repeated() -> None:
    committed = CommittedSessions()
    for number in range(CommittedSessions.MAX_SESSIONS + 1):
        committed.add(str(number), NAME, DIGEST)

    assert not committed.has("0", NAME, DIGEST)
    assert committed.has("1", NAME, DIGEST)
    assert not committed.has("1", RepositoryName("team/other"), DIGEST)
    assert not committed.has("1", NAME, Digest.of(b"another"))


def test_backups_run_until_the_last_has_ended() -> None:
    backups = Backups()
    with backups.run():
        with backups.run():
            assert backups.are_running
        assert backups.are_running

    assert not backups.are_running
