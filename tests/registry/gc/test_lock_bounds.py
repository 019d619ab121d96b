"""However large contents are, no unit of a collection takes more than a bounded part of them."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from oci.digest import Digest
from registry.gc.collector import CollectionResult, collect_manifests
from registry.services.cutoffs import trash_cutoff, untagged_cutoff
from registry.storage.metadata import manifests
from registry.storage.metadata.gc import candidates
from registry.storage.metadata.gc.candidates import START
from registry.storage.metadata.keys import BYTES_PER_BATCH, Key
from registry.storage.metadata.trash import rows as trash_rows
from registry.storage.retention import Cutoff
from tests.support.images import an_image
from tests.support.registry.gc_service import SECOND, GcService, a_gc_service
from tests.support.registry.settings import default_retention
from tests.support.registry.storage import push_image

RETENTION = default_retention(
    lease_ms=60 * SECOND, epoch_ms=10 * SECOND, undelete_ms=60 * SECOND, untagged_ms=120 * SECOND
)
# Two of them come to the bound.
LARGE = {"text": "x" * (BYTES_PER_BATCH * 6 // 10)}


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[GcService]:
    async with a_gc_service(tmp_path / "root", retention=RETENTION) as registry:
        yield registry


async def push_untagged(registry: GcService, count: int) -> list[Digest]:
    images = [an_image(seed=f"large {number}", annotations=LARGE) for number in range(count)]
    for image in images:
        await push_image(registry.repository(), image)
    return [image.digest for image in images]


async def found(registry: GcService) -> tuple[Cutoff, list[Key]]:
    state = registry.service.state
    cutoff = await untagged_cutoff(state)
    page = await state.database.operator.read(partial(candidates.untagged_manifests, cutoff, START))
    return cutoff, page.found


async def drop(registry: GcService, cutoff: Cutoff, keys: list[Key]) -> CollectionResult:
    state = registry.service.state
    return await registry.service.database.write(
        lambda connection: collect_manifests(
            connection, state.begin_change(connection, "gc"), cutoff, keys
        )
    )


async def test_a_unit_collects_contents_up_to_its_bound(registry: GcService) -> None:
    await push_untagged(registry, 5)
    await registry.pass_time(240)
    cutoff, keys = await found(registry)
    assert len(keys) == 5

    first = await drop(registry, cutoff, keys)
    rest = await registry.collect()

    assert (first.collected, list(first.rest)) == (2, keys[2:])
    assert rest.manifests == 3


async def test_a_unit_renews_what_a_manifest_kept_a_few_at_a_time(
    registry: GcService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifests, "ROWS_PER_BATCH", 3)
    subject = an_image(seed="subject")
    await push_image(registry.repository(), subject)
    for number in range(7):
        referrer = an_image(seed=f"r{number}", subject=subject.descriptor)
        await push_image(registry.repository(), referrer)
    await registry.pass_time(240)
    cutoff, keys = await found(registry)
    renewed = []

    for _ in range(4):
        dropped = await drop(registry, cutoff, keys)
        rows = await registry.service.rows(
            "SELECT count(*) FROM manifests WHERE lease_epoch = (SELECT max(number) FROM epochs)"
        )
        renewed.append((dropped.collected, rows[0][0]))

    assert len(keys) == 1
    assert renewed == [(0, 3), (0, 6), (0, 7), (1, 7)]


async def test_a_unit_deletes_contents_of_the_trash_up_to_its_bound(registry: GcService) -> None:
    for digest in await push_untagged(registry, 5):
        await registry.repository().manifests.delete(digest)
    await registry.pass_time(240)
    cutoff = await trash_cutoff(registry.service.state)

    deleted = await registry.service.database.write(
        lambda connection: trash_rows.delete_expired_rows(connection, cutoff, 50)
    )
    left = await registry.service.rows("SELECT size FROM trash_manifests")

    assert (deleted, len(left)) == (2, 3)
    await registry.collect()
    assert await registry.service.rows("SELECT size FROM trash_manifests") == []
