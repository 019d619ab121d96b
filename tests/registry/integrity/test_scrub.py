"""A scrub finds and marks every flipped bit, and a push replaces the bytes."""

import asyncio
import random
import time
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from oci.digest import Digest
from oci.reference import Tag
from registry.errors import BlobUnknown, ManifestUnknown
from registry.integrity.findings import Finding
from registry.integrity.scrub import Scrub, Throttle
from tests.support.images import an_image, an_index
from tests.support.registry.clocks import YEAR_MS, FakeClock
from tests.support.registry.integrity import wrongs
from tests.support.registry.storage import (
    Service,
    a_service,
    pull_blob,
    push_blob,
    push_image,
    push_index,
)

FLIPS = 60
UNBOUNDED = 1e12


async def scrub(service: Service, throttle: Throttle | None = None) -> tuple[Scrub, list[Finding]]:
    due = int(time.time() * 1000) + 1
    run = Scrub(
        service.database, service.store, throttle or Throttle(UNBOUNDED), due, service.state.clock
    )
    return run, [finding async for finding in run.run()]


async def path_of(service: Service, digest: Digest) -> Path:
    query = "SELECT physical FROM blobs WHERE digest = :digest"
    ((physical,),) = await service.rows(query, digest=str(digest))
    return Path(service.root, "blobs", physical[:2], physical)


async def flip(service: Service, digest: Digest, dice: random.Random) -> None:
    path = await path_of(service, digest)
    content = bytearray(path.read_bytes())
    content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
    path.chmod(0o600)
    path.write_bytes(content)


async def test_every_flipped_bit_is_found_not_served_and_replaced_by_a_push(
    service: Service,
) -> None:
    dice = random.Random(4)  # noqa: S311
    repository = service.repository()
    contents = [dice.randbytes(dice.randrange(1, 5000)) for _ in range(2 * FLIPS)]
    digests = [await push_blob(repository, content) for content in contents]
    corrupt = contents[:FLIPS]
    for digest in digests[:FLIPS]:
        await flip(service, digest, dice)

    run, found = await scrub(service)

    assert {finding.what for finding in found} == {f"blob {digest}" for digest in digests[:FLIPS]}
    assert (run.done.blobs, run.done.corrupt, run.done.is_complete) == (2 * FLIPS, FLIPS, True)
    for content in corrupt:
        with pytest.raises(BlobUnknown):
            await repository.blobs.stat(Digest.of(content))
        with pytest.raises(BlobUnknown):
            await repository.blobs.open(Digest.of(content))
    for content in corrupt:
        await push_blob(repository, content)
        assert await pull_blob(repository, Digest.of(content)) == content
    assert await wrongs(service) == []
    assert (await scrub(service))[1] == []


async def test_a_corrupt_blob_is_reported_with_the_tags_it_affects(service: Service) -> None:
    image = an_image()
    await push_image(service.repository(), image, Tag("v1"), Tag("v2"))
    await flip(service, image.layers[0].descriptor.digest, random.Random(1))  # noqa: S311

    _, (finding,) = await scrub(service)

    assert finding.affects == ("team/app:v1", "team/app:v2")
    query = "SELECT action, target FROM audit ORDER BY id DESC LIMIT 1"
    assert await service.rows(query) == [("scrub.repair", finding.what)]


async def damage(service: Service, digest: Digest) -> None:
    def unit(connection: Connection) -> None:
        content = "CAST(replace(content, '2', '3') AS BLOB)"
        statement = f"UPDATE manifests SET content = {content} WHERE digest = :d"  # noqa: S608
        connection.execute(text(statement), {"d": str(digest)})

    await service.database.write(unit)


async def test_a_corrupt_manifest_is_marked_not_served_and_replaced_by_a_push(
    service: Service,
) -> None:
    repository, image, index = service.repository(), an_image(), an_index()
    await push_image(repository, image, Tag("v1"))
    await push_index(repository, index, Tag("multi"))
    await damage(service, image.digest)
    child = index.images[0]
    await damage(service, child.digest)

    _, found = await scrub(service)

    affected = {finding.what: finding.affects for finding in found}
    assert affected[f"manifest team/app@{image.digest}"] == ("team/app:v1",)
    assert affected[f"manifest team/app@{child.digest}"] == ("team/app:multi",)
    for reference in (Tag("v1"), image.digest):
        with pytest.raises(ManifestUnknown):
            await repository.manifests.pull(reference)
        with pytest.raises(ManifestUnknown):
            await repository.manifests.stat(reference)
    for broken in (image, child):
        await repository.manifests.push(broken.digest, broken.manifest, broken.media_type)
    assert (await repository.manifests.pull(Tag("v1"))).content == image.manifest
    assert (await repository.manifests.pull(child.digest)).content == child.manifest
    assert await wrongs(service) == []


async def test_content_verified_longest_ago_is_read_first(service: Service) -> None:
    repository = service.repository()
    old, new = await push_blob(repository, b"old" * 999), await push_blob(repository, b"new" * 999)

    def unit(connection: Connection) -> None:
        statement = "UPDATE blobs SET verified_at = 1 WHERE digest = :d"
        connection.execute(text(statement), {"d": str(old)})

    await service.database.write(unit)
    # Room for one blob and a half.
    await scrub(service, Throttle(4500, time.monotonic() + 1.0))

    verified = dict(await service.rows("SELECT digest, verified_at FROM blobs"))
    assert verified[str(old)] > 1
    assert str(new) in verified


async def test_the_rate_is_bounded(service: Service) -> None:
    for number in range(8):
        await push_blob(service.repository(), b"%d" % number * 50_000)
    began = time.monotonic()

    run, _ = await scrub(service, Throttle(1_000_000))

    assert run.done.bytes == 400_000
    assert time.monotonic() - began >= 0.4


async def test_a_scrub_stops_in_the_middle_of_a_blob_and_continues_later(
    service: Service,
) -> None:
    await push_blob(service.repository(), bytes(5_000_000))

    run, found = await scrub(service, Throttle(1_000_000, time.monotonic() + 0.3))

    assert (run.done.is_complete, run.done.blobs, found) == (False, 0, [])
    again, _ = await scrub(service)
    assert (again.done.is_complete, again.done.blobs) == (True, 1)


async def test_a_blob_deleted_during_a_scrub_is_not_corrupt(service: Service) -> None:
    repository = service.repository()
    digests = [await push_blob(repository, b"%d" % number * 9999) for number in range(40)]

    async def delete() -> None:
        for digest in digests:
            path = await path_of(service, digest)
            await repository.blobs.delete(digest)
            path.unlink()

    (run, found), _ = await asyncio.gather(scrub(service, Throttle(2_000_000)), delete())

    assert (found, run.done.corrupt) == ([], 0)


@pytest.mark.parametrize("years", [-10, 10], ids=["set back", "was ahead"])
async def test_a_scrub_reads_each_byte_once_whatever_the_wall_clock_does(
    tmp_path: Path, years: int
) -> None:
    clock = FakeClock()
    async with a_service(tmp_path / "root", clock=clock) as service:
        for number in range(5):
            await push_blob(service.repository(), b"%d" % number)
        if years > 0:
            clock.set_by(-years * YEAR_MS)
        run = Scrub(
            service.database, service.store, Throttle(UNBOUNDED), clock.wall_ms() + 1, clock
        )
        clock.set_by(-YEAR_MS)

        found = [finding async for finding in run.run()]

        assert (found, run.done.blobs, run.done.is_complete) == ([], 5, True)
