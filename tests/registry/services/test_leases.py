"""Leases: content reported as present to a pusher is kept until a manifest can name it."""

import asyncio

import pytest

from oci.digest import Digest
from oci.reference import Tag
from registry.errors import BlobUnknown, ManifestUnknown
from registry.storage.metadata.manifests import ManifestHead
from tests.support.images import an_image
from tests.support.registry.gc_service import GcService
from tests.support.registry.storage import push_blob, push_blobs, push_image

CONTENT = b"an old base layer"
DIGEST = Digest.of(CONTENT)


async def lease(gc_service: GcService, table: str = "repo_blobs") -> tuple[int, int]:
    query = {
        "repo_blobs": "SELECT lease_until, lease_epoch FROM repo_blobs",
        "manifests": "SELECT lease_until, lease_epoch FROM manifests",
    }
    ((until, epoch),) = await gc_service.service.rows(query[table])
    return until, epoch


async def test_a_pusher_can_name_a_blob_that_was_reported_present(gc_service: GcService) -> None:
    repository = gc_service.repository()
    await push_blob(repository, CONTENT)
    await gc_service.outlive_leases()

    await repository.blobs.stat(DIGEST)
    await gc_service.pass_time(20)
    report = await gc_service.collect()

    assert report.blobs == 0
    assert await repository.blobs.stat(DIGEST) == len(CONTENT)


async def test_a_reader_renews_no_lease(gc_service: GcService) -> None:
    await push_blob(gc_service.repository(), CONTENT)
    before = await lease(gc_service)
    await gc_service.outlive_leases()

    reader = gc_service.service.repository(may_push=False)
    await reader.blobs.stat(DIGEST)

    assert await lease(gc_service) == before
    assert (await gc_service.collect()).blobs == 1


async def test_perf_1_head_writes_only_when_less_than_half_of_a_lease_remains(
    gc_service: GcService,
) -> None:
    """Harbor touched the row at each HEAD, and made one row the busiest of all."""
    repository = gc_service.repository()
    await push_blob(repository, CONTENT)
    lock_times = gc_service.service.database.lock_times.of("lease")

    for _ in range(50):
        await repository.blobs.stat(DIGEST)
    unwritten = lock_times.count
    await gc_service.pass_time(40)
    await asyncio.gather(*(repository.blobs.stat(DIGEST) for _ in range(20)))
    renewed = lock_times.count
    for _ in range(50):
        await repository.blobs.stat(DIGEST)

    assert unwritten == 0
    assert 1 <= renewed <= 20
    assert lock_times.count == renewed


async def test_head_of_a_blob_about_to_be_collected_renews_its_lease_or_is_a_404(
    gc_service: GcService,
) -> None:
    """The two may come in any order: then the answer is 404, or the blob stays."""
    repository = gc_service.repository()
    outcomes = set()
    for number in range(12):
        digest = await push_blob(repository, b"%d" % number)
        await gc_service.outlive_leases()

        async def ask(digest: Digest = digest, number: int = number) -> bool:
            await asyncio.sleep(0.002 * (number % 6))
            try:
                await repository.blobs.stat(digest)
            except BlobUnknown:
                return False
            return True

        told, _ = await asyncio.gather(ask(), gc_service.collect())
        outcomes.add(told)
        rows = await gc_service.service.rows(
            "SELECT 1 FROM repo_blobs WHERE digest = :digest", digest=str(digest)
        )
        assert bool(rows) is told

    assert outcomes <= {True, False}


@pytest.mark.parametrize("by_tag", [True, False])
async def test_a_manifest_reported_to_a_pusher_has_a_lease(
    gc_service: GcService, by_tag: bool
) -> None:
    repository, image = gc_service.repository(), an_image()
    await push_image(repository, image, Tag("1"))
    await gc_service.outlive_leases()
    before = await lease(gc_service, "manifests")

    stat = await repository.manifests.stat(Tag("1") if by_tag else image.digest)

    assert stat == ManifestHead(image.digest, image.media_type, len(image.manifest))
    assert (await lease(gc_service, "manifests"))[0] > before[0]


async def test_an_unknown_manifest_is_unknown_to_a_pusher_too(gc_service: GcService) -> None:
    repository = gc_service.repository()
    await push_blob(repository, CONTENT)

    with pytest.raises(ManifestUnknown):
        await repository.manifests.stat(DIGEST)


async def test_gc_2_an_old_blob_mounted_or_pushed_again_has_a_new_lease(
    gc_service: GcService,
) -> None:
    """Harbor: a base layer older than any window, taken up by a new repository."""
    source, target = gc_service.repository("base"), gc_service.repository("app")
    await push_blobs(source, [CONTENT, b"other"])
    await gc_service.outlive_leases()

    assert await target.uploads.mount(DIGEST, source)
    await push_blob(target, b"other")
    await gc_service.pass_time(30)
    report = await gc_service.collect()

    assert (report.members, report.blobs) == (2, 0)
    assert await target.blobs.stat(DIGEST) == len(CONTENT)
    assert await target.blobs.stat(Digest.of(b"other")) == 5


async def test_a_registry_that_cannot_write_still_answers(gc_service: GcService) -> None:
    repository = gc_service.repository()
    await push_blob(repository, CONTENT)
    await gc_service.outlive_leases()
    gc_service.service.database.guard.make_read_only("a test")

    assert await repository.blobs.stat(DIGEST) == len(CONTENT)
