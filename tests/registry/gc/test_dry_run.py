"""A dry run reports exactly what a pass then does."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from oci.reference import RepositoryName, Tag
from registry.gc.dry_run import dry_run
from registry.gc.report import GcReport
from registry.trash.repositories import delete_repository
from tests.support.images import an_image, an_index
from tests.support.registry.gc_service import SECOND, GcService, a_gc_service
from tests.support.registry.settings import default_retention, default_upload_limits
from tests.support.registry.storage import body, push_blob, push_image, push_index


@pytest.fixture(params=[0, 600], ids=["no window", "a window"])
async def gc_service(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[GcService]:
    retention = default_retention(
        lease_ms=60 * SECOND,
        epoch_ms=10 * SECOND,
        undelete_ms=request.param * SECOND,
        untagged_ms=120 * SECOND,
    )
    limits = default_upload_limits(idle_ms=100 * SECOND)
    async with a_gc_service(tmp_path / "r", retention=retention, limits=limits) as made:
        yield made


async def a_registry_with_garbage(gc_service: GcService) -> None:
    """Something of every kind that goes, and of every kind that stays."""
    one, two, dead = (gc_service.repository(name) for name in ("one", "two", "dead"))
    await push_index(one, an_index(), Tag("kept"))
    await push_image(one, an_image(3, seed="untagged"))
    await push_image(two, an_image(3, seed="untagged"), Tag("kept"))
    await push_image(two, an_image(2, seed="loose"))
    await push_image(dead, an_image(2, seed="dead"), Tag("gone"))
    digests = [await push_blob(repository, b"shared garbage") for repository in (one, two, dead)]
    await push_blob(one, b"own garbage")
    await two.blobs.delete(digests[0])
    session = await one.uploads.start()
    await one.uploads.append(session.id, body(b"half"), start=None, length=None)
    await delete_repository(gc_service.service.state, "op", RepositoryName("dead"))
    stray = "01234567-89ab-4def-8123-456789abcdef"
    (gc_service.service.root / "uploads" / stray).write_bytes(b"orphan")


def bytes_on_disk(gc_service: GcService) -> int:
    root = gc_service.service.root
    return sum((root / file).stat().st_size for file in gc_service.service.files())


@pytest.mark.parametrize("seconds", [1, 200, 2000])
async def test_a_pass_does_as_the_dry_run_reported(gc_service: GcService, seconds: int) -> None:
    await a_registry_with_garbage(gc_service)
    await gc_service.pass_time(seconds)

    for _ in range(3):
        before = bytes_on_disk(gc_service)
        said = await dry_run(gc_service.service.state)
        assert bytes_on_disk(gc_service) == before
        done = await gc_service.collect()

        assert done == said
        assert before - bytes_on_disk(gc_service) == said.freed_bytes
        await gc_service.pass_time(seconds)


async def test_something_of_every_kind_is_collected_in_the_end(gc_service: GcService) -> None:
    await a_registry_with_garbage(gc_service)
    await gc_service.pass_time(2000)

    first = await gc_service.collect()
    await gc_service.pass_time(2000)
    second = await gc_service.collect()

    assert (first.manifests, first.repositories, first.uploads, first.orphans) == (2, 1, 1, 1)
    assert first.blobs > 0
    assert first.purged + second.purged == first.blobs
    assert bytes_on_disk(gc_service) == await bytes_of_blobs(gc_service)


async def test_a_dry_run_reports_a_pass_that_begins_an_epoch(tmp_path: Path) -> None:
    """Of every kind something goes in the very pass that begins the epoch it waits for."""
    retention = default_retention(
        lease_ms=60 * SECOND,
        epoch_ms=10 * SECOND,
        undelete_ms=90 * SECOND,
        untagged_ms=150 * SECOND,
    )
    limits = default_upload_limits(idle_ms=9999 * SECOND, max_age_ms=100 * SECOND)
    async with a_gc_service(tmp_path / "r", retention=retention, limits=limits) as gc_service:
        await a_registry_with_garbage(gc_service)
        await gc_service.pass_time(10)
        went = GcReport()

        for _ in range(40):
            gc_service.clock.advance(10 * SECOND)
            said = await dry_run(gc_service.service.state)
            assert await gc_service.collect() == said
            went.uploads += said.uploads
            went.manifests += said.manifests
            went.members += said.members
            went.purged += said.purged
            went.repositories += said.repositories

    assert min(went.uploads, went.manifests, went.members, went.purged, went.repositories) > 0


async def test_a_dry_run_writes_nothing_and_is_not_refused_on_a_latched_registry(
    gc_service: GcService,
) -> None:
    await a_registry_with_garbage(gc_service)
    await gc_service.pass_time(200)
    gc_service.clock.advance(20 * SECOND)
    epochs = await gc_service.service.rows("SELECT * FROM epochs")
    gc_service.service.database.guard.make_read_only("a test")

    said = await dry_run(gc_service.service.state)

    assert said.members > 0
    assert await gc_service.service.rows("SELECT * FROM epochs") == epochs
    gc_service.service.database.guard.allow_writes()
    assert await gc_service.collect() == said


async def bytes_of_blobs(gc_service: GcService) -> int:
    ((total,),) = await gc_service.service.rows("SELECT sum(size) FROM blobs")
    return int(total)
