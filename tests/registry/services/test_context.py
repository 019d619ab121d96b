"""Context: locks of sessions, commits to repeat, and running backups."""

from oci.digest import Digest
from oci.reference import RepositoryName
from registry.services.context import Backups, CommittedSessions, SessionLocks
from tests.support.registry.clocks import FakeClock

NAME = RepositoryName("team/app")
DIGEST = Digest.of(b"content")


async def test_a_session_has_one_lock_for_all_who_hold_it() -> None:
    locks = SessionLocks()
    lock = locks.of("one")

    assert locks.of("one") is lock
    assert locks.of("two") is not lock
    assert not locks.is_held("one")
    async with lock:
        assert locks.is_held("one")
        assert not locks.is_held("two")


def test_a_lock_that_nobody_has_takes_no_memory() -> None:
    locks = SessionLocks()

    locks.of("one")

    assert len(locks._locks) == 0


def test_a_session_is_idle_since_its_last_request_or_the_start() -> None:
    clock = FakeClock()
    locks = SessionLocks(clock)
    clock.advance(10)
    locks.touch("one")
    clock.advance(5)

    assert (locks.idle_ms("one"), locks.idle_ms("unknown")) == (5, 15)
    locks.evict_idle(5, but=["one"])
    assert locks.is_known("one")
    locks.evict_idle(5, but=[])
    assert not locks.is_known("one")


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
