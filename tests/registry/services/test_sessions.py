"""Sessions: a lock each, the newest claim alone records, and nothing outlives a session's end."""

import pytest

from registry.errors import BlobUploadUnknown, ClaimLost
from registry.services.sessions import Sessions
from registry.storage.blobs.claims import Progress
from tests.support.registry.clocks import FakeClock

SESSION, OTHER = "session", "other"


async def test_a_session_has_one_lock_for_all_who_hold_it() -> None:
    sessions = Sessions(FakeClock())
    lock = sessions.lock("one")

    assert sessions.lock("one") is lock
    assert sessions.lock("two") is not lock
    assert not sessions.is_held("one")
    async with lock:
        assert sessions.is_held("one")
        assert not sessions.is_held("two")


def test_a_lock_that_nobody_has_takes_no_memory() -> None:
    sessions = Sessions(FakeClock())

    sessions.lock("one")

    assert len(sessions._locks) == 0


def test_a_session_is_idle_since_its_last_request_or_the_start() -> None:
    clock = FakeClock()
    sessions = Sessions(clock)
    clock.advance(10)
    sessions.touch("one")
    clock.advance(5)

    assert (sessions.idle_ms("one"), sessions.idle_ms("unknown")) == (5, 15)
    sessions.evict_idle(5, but=["one"])
    assert sessions.is_known("one")
    sessions.evict_idle(5, but=[])
    assert not sessions.is_known("one")


async def test_the_next_claim_has_the_progress_that_was_recorded() -> None:
    sessions = Sessions(FakeClock())
    first = await sessions.claim(SESSION, "sha512")

    await sessions.record(Progress(SESSION, 5, first.token))
    second = await sessions.claim(SESSION, "sha512")

    assert (first.progress, first.algorithm) == (None, "sha512")
    assert second.progress == Progress(SESSION, 5, first.token)


async def test_while_a_claim_writes_nothing_is_known_of_its_progress() -> None:
    """A third claim, made before the second has recorded anything, must look at the bytes."""
    sessions = Sessions(FakeClock())
    first = await sessions.claim(SESSION, "sha256")
    await sessions.record(Progress(SESSION, 5, first.token))

    await sessions.claim(SESSION, "sha256")

    assert sessions.progress(SESSION) is None
    assert (await sessions.claim(SESSION, "sha256")).progress is None


async def test_only_the_newest_claim_records() -> None:
    sessions = Sessions(FakeClock())
    older, other = await sessions.claim(SESSION, "sha256"), await sessions.claim(OTHER, "sha256")
    newer = await sessions.claim(SESSION, "sha256")

    with pytest.raises(ClaimLost, match="being written by a later request"):
        await sessions.record(Progress(SESSION, 1, older.token))
    with pytest.raises(ClaimLost):
        await sessions.record(Progress(SESSION, 1, other.token))
    await sessions.record(Progress(SESSION, 2, newer.token))

    assert sessions.progress(SESSION) == Progress(SESSION, 2, newer.token)


async def test_the_claim_of_a_session_that_has_ended_records_nothing() -> None:
    sessions = Sessions(FakeClock())
    claim = await sessions.claim(SESSION, "sha256")

    sessions.evict(SESSION)

    with pytest.raises(BlobUploadUnknown, match="no upload session"):
        await sessions.record(Progress(SESSION, 1, claim.token))
    sessions.touch(SESSION)
    with pytest.raises(BlobUploadUnknown):
        await sessions.record(Progress(SESSION, 1, claim.token))


async def test_no_token_is_given_twice_by_any_process() -> None:
    tokens = [
        (await sessions.claim(SESSION, "sha256")).token
        for sessions in (Sessions(FakeClock()), Sessions(FakeClock()))
        for _ in range(100)
    ]

    assert len(set(tokens)) == 200


async def test_idle_sessions_are_forgotten_with_their_claims() -> None:
    clock = FakeClock()
    sessions = Sessions(clock)
    await sessions.claim(SESSION, "sha256")
    clock.advance(1000)
    await sessions.claim(OTHER, "sha256")

    sessions.evict_idle(1000, but=())

    assert not sessions.is_known(SESSION)
    assert sessions.is_known(OTHER)
