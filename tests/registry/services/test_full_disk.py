"""A really full disk: refusals, nothing partial, and no repair needed afterwards."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from oci.digest import Digest
from registry.errors import BlobUnknown, StorageFull
from tests.support import small_disks
from tests.support.registry.storage import Service, a_service, body, pull_blob, push_blob

MIB = 1024 * 1024

pytestmark = pytest.mark.needs_root


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with small_disks.small_disk(tmp_path / "disk", "size=8m") as disk:
        yield disk


def too_much() -> tuple[Digest, list[bytes]]:
    chunks = [bytes([n]) * MIB for n in range(16)]
    return Digest.of(b"".join(chunks)), chunks


async def is_taking_uploads_again(service: Service) -> None:
    """Nobody has to do anything for it, and it takes less than five seconds."""
    for _ in range(250):
        if service.database.guard.problem is None:
            return
        await asyncio.sleep(0.02)
    pytest.fail(f"still refused: {service.database.guard.problem}")


async def is_healthy(service: Service) -> bool:
    digest = await push_blob(service.repository("after"), b"small")
    return await pull_blob(service.repository("after"), digest) == b"small"


async def test_a_blob_that_does_not_fit_is_refused_and_leaves_room(small_disk: Path) -> None:
    digest, chunks = too_much()
    async with a_service(small_disk) as service:
        with pytest.raises(StorageFull):
            await service.repository().uploads.push(digest, body(*chunks), length=None)

        with pytest.raises(BlobUnknown):
            await service.repository().blobs.stat(digest)
        assert service.files() == set()
        assert await is_healthy(service)


async def test_a_session_on_a_full_disk_keeps_the_written_bytes(small_disk: Path) -> None:
    _, chunks = too_much()
    async with a_service(small_disk) as service:
        uploads = service.repository().uploads
        session = await uploads.start()
        with pytest.raises(StorageFull):
            await uploads.append(session.id, body(*chunks), start=0, length=None)
        offset = (await uploads.status(session.id)).offset

        assert 0 < offset < 8 * MIB
        assert offset % MIB == 0
        await uploads.cancel(session.id)
        assert service.files() == set()
        assert await is_healthy(service)


async def test_rows_that_do_not_fit_are_refused_too(small_disk: Path) -> None:
    async with a_service(small_disk) as service:
        filler = small_disk / "filler"
        free = os.statvfs(small_disk)
        filler.write_bytes(bytes(free.f_bavail * free.f_frsize))

        with pytest.raises(StorageFull):
            await push_many(service, 200)
        filler.unlink()

        await is_taking_uploads_again(service)
        assert await is_healthy(service)


async def push_many(service: Service, count: int) -> None:
    for number in range(count):
        await push_blob(service.repository(), b"content %d" % number)
