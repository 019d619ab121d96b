"""Upload sessions expire when idle too long, and are limited in number."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from oci.digest import Digest
from oci.reference import RepositoryName
from registry.errors import BlobUploadUnknown, TooManyRequests
from registry.gc.collector import GarbageCollector
from registry.gc.epochs import watching_epochs
from registry.services.repositories import Caller, Repository
from tests.support.registry.clocks import YEAR_MS, FakeClock
from tests.support.registry.gc_service import SECOND, SHORT, GcService, a_gc_service
from tests.support.registry.settings import default_upload_limits
from tests.support.registry.storage import a_service, body, pull_blob, push_blob

LIMITS = default_upload_limits(
    idle_ms=100 * SECOND, max_age_ms=300 * SECOND, max_per_identity=3, max_total=5
)


@pytest.fixture
async def limited(tmp_path: Path) -> AsyncIterator[GcService]:
    async with a_gc_service(tmp_path / "root", limits=LIMITS) as gc_service:
        yield gc_service


async def test_a_session_that_rests_too_long_ends_with_its_bytes(limited: GcService) -> None:
    repository = limited.repository()
    session = await repository.uploads.start()
    await repository.uploads.append(session.id, body(b"half"), start=None, length=None)

    await limited.pass_time(99)
    early = await limited.collect()
    await limited.pass_time(1)
    late = await limited.collect()

    assert (early.uploads, late.uploads, late.upload_bytes) == (0, 1, 4)
    assert limited.service.files() == set()
    with pytest.raises(BlobUploadUnknown):
        await repository.uploads.status(session.id)


async def test_every_request_lets_a_session_live_on_until_it_is_too_old(
    limited: GcService,
) -> None:
    repository = limited.repository()
    session = await repository.uploads.start()
    ended = []
    for _ in range(5):
        await repository.uploads.append(session.id, body(b"."), start=None, length=None)
        await limited.pass_time(80)
        ended.append((await limited.collect()).uploads)
        if ended[-1]:
            break

    assert ended == [0, 0, 0, 1]


async def test_a_clock_jump_ends_no_session(limited: GcService) -> None:
    session = await limited.repository().uploads.start()

    limited.clock.set_by(10 * YEAR_MS)

    assert (await limited.collect()).uploads == 0
    assert (await limited.repository().uploads.status(session.id)).offset == 0


async def test_a_session_that_is_being_written_does_not_end(limited: GcService) -> None:
    repository = limited.repository()
    session = await repository.uploads.start()
    content = b"slow, but there"

    async def slow() -> AsyncIterator[bytes]:
        yield content[:4]
        await limited.pass_time(1000)
        assert (await limited.collect()).uploads == 0
        yield content[4:]

    digest = Digest.of(content)
    await repository.uploads.commit(session.id, digest, slow(), start=None, length=None)

    assert await pull_blob(repository, digest) == content


async def test_one_identity_and_all_together_may_have_so_many(limited: GcService) -> None:
    alice, bob = (limited.service.repository(identity=name) for name in ("alice", "bob"))
    first = await alice.uploads.start()
    for _ in range(2):
        await alice.uploads.start()
        await bob.uploads.start()

    with pytest.raises(TooManyRequests, match="alice has 3 uploads open, expected at most 3"):
        await alice.uploads.start()
    with pytest.raises(TooManyRequests, match="5 uploads are open, expected at most 5"):
        await bob.uploads.start()
    await alice.uploads.cancel(first.id)
    await push_blob(alice, b"room again")

    assert len([file for file in limited.service.files() if file.startswith("uploads/")]) == 4


def anonymous(limited: GcService, address: str) -> Repository:
    return limited.service.registry.repository(
        RepositoryName.parse("team/app"), "anonymous", caller=Caller(address, is_anonymous=True)
    )


async def test_an_address_may_have_so_many_and_stops_no_other(tmp_path: Path) -> None:
    limits = replace(LIMITS, max_per_identity=1, max_per_address=2)
    async with a_gc_service(tmp_path / "root", limits=limits) as limited:
        for _ in range(2):
            await anonymous(limited, "192.0.2.1").uploads.start()

        with pytest.raises(TooManyRequests, match=r"192\.0\.2\.1 has 2 uploads open"):
            await anonymous(limited, "192.0.2.1").uploads.start()

        await anonymous(limited, "192.0.2.2").uploads.start()


async def test_no_restart_puts_off_the_end_of_a_session_that_rests(tmp_path: Path) -> None:
    clock, ended = FakeClock(), list[int]()
    for _ in range(20):
        async with a_service(
            tmp_path / "root", clock=clock, retention=SHORT, limits=LIMITS
        ) as service:
            registry = GcService(service, clock, GarbageCollector(service.state, share=1))
            if not ended:
                await registry.repository().uploads.start()
            async with watching_epochs(service.state):
                await registry.pass_time(LIMITS.idle_ms / SECOND / 5)
            ended.append((await registry.collect()).uploads)

    # A little later than without restarts, and not never.
    assert sum(ended) == 1
    assert 5 <= ended.index(1) <= 8


async def test_a_request_lets_a_session_live_on_over_restarts(tmp_path: Path) -> None:
    clock = FakeClock()
    session, ended = "", 0
    for _ in range(3):
        async with a_service(
            tmp_path / "root", clock=clock, retention=SHORT, limits=LIMITS
        ) as service:
            registry = GcService(service, clock, GarbageCollector(service.state, share=1))
            uploads = registry.repository().uploads
            session = session or (await uploads.start()).id
            await registry.pass_time(60)
            await uploads.append(session, body(b"."), start=None, length=None)
            ended += (await registry.collect()).uploads

    assert ended == 0


async def test_a_session_that_lives_a_moment_is_written_down_once(limited: GcService) -> None:
    repository = limited.repository()
    session = await repository.uploads.start()

    for _ in range(3):
        await repository.uploads.append(session.id, body(b"."), start=None, length=None)
        limited.clock.advance(SECOND)

    assert await limited.service.rows("SELECT touched_at FROM uploads") == [(None,)]
