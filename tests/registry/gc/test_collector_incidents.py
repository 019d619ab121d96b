"""Incidents of other registries' garbage collectors, which must not happen here."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from oci.descriptor import Descriptor
from oci.digest import Digest
from oci.encoding import image_index
from oci.mediatype import OCI_INDEX, OCI_LAYER_GZIP
from oci.reference import Tag
from registry.errors import ManifestUnknown
from registry.gc import collector as collector_module
from registry.services.repositories import Repository
from registry.storage.metadata.gc import candidates
from registry.storage.metadata.keys import Key
from tests.support.images import Image, Index, an_image, an_index
from tests.support.registry.gc_service import SECOND, GcService, a_gc_service
from tests.support.registry.settings import default_retention
from tests.support.registry.storage import pull_blob, push_blob, push_image, push_index

ONE, TWO = Tag("one"), Tag("two")
UNTAGGED = default_retention(
    lease_ms=60 * SECOND, epoch_ms=10 * SECOND, undelete_ms=0, untagged_ms=120 * SECOND
)


@pytest.fixture
async def strict(tmp_path: Path) -> AsyncIterator[GcService]:
    """Collects untagged manifests two minutes after nothing keeps them."""
    async with a_gc_service(tmp_path / "strict", retention=UNTAGGED) as gc_service:
        yield gc_service


async def is_here(repository: Repository, digest: Digest) -> bool:
    try:
        await repository.manifests.pull(digest)
    except ManifestUnknown:
        return False
    return True


async def is_whole(repository: Repository, image: Image) -> bool:
    for digest, content in image.blobs.items():
        assert await pull_blob(repository, digest) == content
    return await is_here(repository, image.digest)


async def test_gc_3_gc_4_a_candidate_that_is_named_before_the_delete_stays(
    gc_service: GcService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """nora and distribution: found unreferenced at first, referenced when it is deleted."""
    repository, image = gc_service.repository(), an_image()
    for content in image.blobs.values():
        await push_blob(repository, content)
    await gc_service.outlive_leases()
    found = asyncio.Event()
    go_on = asyncio.Event()
    candidates = collector_module.find_candidates

    async def slow(*arguments: Any) -> AsyncIterator[list[Key]]:
        async for keys in candidates(*arguments):
            found.set()
            await go_on.wait()
            yield keys

    monkeypatch.setattr(collector_module, "find_candidates", slow)
    collecting = asyncio.create_task(gc_service.collect())
    await found.wait()
    await repository.manifests.push(ONE, image.manifest, image.media_type)
    go_on.set()
    report = await collecting

    assert report.members == 0
    assert await is_whole(repository, image)


async def test_gc_6_children_of_an_index_are_kept_whatever_their_type(strict: GcService) -> None:
    """Foundries: caches of BuildKit, an index over layers, were garbage to a collector."""
    repository, layer = strict.repository(), b"a layer in a cache"
    await push_blob(repository, layer)
    cache = image_index([Descriptor(OCI_LAYER_GZIP, Digest.of(layer), len(layer))])
    await repository.manifests.push(ONE, cache, OCI_INDEX)

    await strict.pass_time(500)
    report = await strict.collect()

    assert (report.manifests, report.blobs) == (0, 0)
    assert await pull_blob(repository, Digest.of(layer)) == layer


async def test_gc_6_manifests_of_a_type_we_do_not_know_are_kept(strict: GcService) -> None:
    repository, image = strict.repository(), an_image()
    await push_image(repository, image)
    await strict.service.database.write(
        lambda connection: connection.exec_driver_sql("UPDATE manifests SET media_type = 'text/x'")
    )

    await strict.pass_time(500)

    assert (await strict.collect()).manifests == 0


@pytest.mark.parametrize(
    ("index_tagged", "child_tagged", "left"),
    [(True, True, 3), (True, False, 3), (False, True, 1), (False, False, 0)],
)
async def test_gc_7_gc_8_children_stay_as_long_as_their_index(
    strict: GcService, index_tagged: bool, child_tagged: bool, left: int
) -> None:
    """distribution --delete-untagged took the children of tagged indexes."""
    repository, index = strict.repository(), an_index()
    await push_index(repository, index, ONE if index_tagged else index.digest)
    if child_tagged:
        child = index.images[0]
        await repository.manifests.push(TWO, child.manifest, child.media_type)

    # The index goes first, and its children are loose from then on.
    for _ in range(2):
        await strict.pass_time(200)
        await strict.collect()

    there = [await is_here(repository, digest) for digest in digests_of(index)]
    assert sum(there) == left
    for image in index.images:
        if await is_here(repository, image.digest):
            assert await is_whole(repository, image)


def digests_of(index: Index) -> list[Digest]:
    return [index.digest, *(image.digest for image in index.images)]


async def test_an_untagged_manifest_waits_from_when_it_lost_its_tag(strict: GcService) -> None:
    repository, old, new = strict.repository(), an_image(seed="old"), an_image(seed="new")
    await push_image(repository, old, ONE)
    await strict.pass_time(1000)
    await push_image(repository, new, ONE)

    await strict.pass_time(100)
    early = await strict.collect()
    await strict.pass_time(100)
    late = await strict.collect()

    assert (early.manifests, late.manifests) == (0, 1)
    assert await is_whole(repository, new)
    assert not await is_here(repository, old.digest)


async def test_without_the_policy_untagged_manifests_are_kept(gc_service: GcService) -> None:
    repository, image = gc_service.repository(), an_image()
    await push_image(repository, image)

    await gc_service.pass_time(10_000)
    await gc_service.collect()

    assert await is_whole(repository, image)


async def test_a_referrer_lives_while_its_subject_lives(strict: GcService) -> None:
    repository, image = strict.repository(), an_image()
    signature = an_image(seed="signature", subject=image.descriptor)
    await push_image(repository, image, ONE)
    await push_image(repository, signature)
    await strict.pass_time(1000)
    assert (await strict.collect()).manifests == 0

    await repository.manifests.delete(image.digest)
    await strict.pass_time(60)
    early = await strict.collect()
    await strict.pass_time(150)
    late = await strict.collect()

    assert (early.manifests, late.manifests) == (0, 1)


async def test_a_manifest_signed_by_a_cosign_tag_is_kept(strict: GcService) -> None:
    repository, image, signature = strict.repository(), an_image(), an_image(seed="signature")
    await push_image(repository, image)
    await push_image(repository, an_image(seed="unsigned"))
    await push_image(repository, signature, Tag(f"sha256-{image.digest.encoded}.sig"))

    await strict.pass_time(500)
    report = await strict.collect()

    assert report.manifests == 1
    assert await is_whole(repository, image)
    assert await is_whole(repository, signature)


async def test_gc_9_a_manifest_whose_parts_are_lost_does_not_stop_the_collector(
    strict: GcService,
) -> None:
    """zot: a missing blob of a manifest, and every pass ended there."""
    repository, image = strict.repository(), an_image()
    await push_image(repository, image)
    await push_blob(repository, b"garbage")
    for file in strict.service.files():
        (strict.service.root / file).unlink()
    await strict.service.database.write(
        lambda connection: connection.exec_driver_sql("UPDATE manifests SET content = x'00'")
    )

    await strict.pass_time(500)
    report = await strict.collect()

    assert (report.manifests, report.blobs) == (1, 3)


async def test_dos_1_nested_indexes_cost_no_more_than_their_edges(strict: GcService) -> None:
    """zot walked an index once for every way that led to it: 2 to the power of its depth."""
    repository, image = strict.repository(), an_image()
    await push_image(repository, image)
    child = image.descriptor
    for depth in range(60):
        other = Descriptor(
            child.media_type, child.digest, child.size, annotations={"n": str(depth)}
        )
        content = image_index([child, other])
        await repository.manifests.push(Digest.of(content), content, OCI_INDEX)
        child = Descriptor(OCI_INDEX, Digest.of(content), len(content))

    await strict.pass_time(500)
    report = await strict.collect()

    assert report.manifests == 1
    assert candidates.ROWS_PER_BATCH > 60
