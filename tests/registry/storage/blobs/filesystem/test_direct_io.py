"""Direct writes: the same bytes arrive, whatever the chunks, the offset and the file system."""

import errno
import fcntl
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from oci.digest import Digest
from registry.storage.blobs.filesystem.direct_io import BLOCK_BYTES, DirectFile
from registry.storage.blobs.filesystem.store import FilesystemBlobStore
from registry.storage.blobs.filesystem.upload_memory import UploadMemory
from registry.storage.disk.root import Root
from tests.support.registry.claims import Place
from tests.support.registry.guards import MemoryGuard
from tests.support.registry.storage import read_all

SESSION = "6f1f1f6e-58f0-4f0b-9d3f-5a1f0c2b7a11"
CONTENT = os.urandom(5 * 1024 * 1024 + 777)


class CountingSystem:
    """The operating system, and how many bytes were written directly."""

    def __init__(self, refuse: int | None = None) -> None:
        self.direct_bytes = 0
        self.refuse = refuse

    def pwritev(self, fd: int, buffers: Sequence[Any], offset: int, /) -> int:
        is_direct = bool(fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_DIRECT)
        if is_direct and self.refuse is not None:
            raise OSError(self.refuse, os.strerror(self.refuse))
        written = os.pwritev(fd, buffers, offset)
        self.direct_bytes += written if is_direct else 0
        return written

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)


async def push(root: Root, system: CountingSystem, *parts: tuple[bytes, int]) -> bytes:
    """Write each part in chunks of its size, with a writer of its own; the blob's bytes."""
    place = Place(FilesystemBlobStore(root, MemoryGuard(), system=system))
    await place.store.begin(SESSION)
    content = b"".join(part for part, _ in parts)
    for number, (part, chunk_bytes) in enumerate(parts, start=1):
        writer = await place.writer(SESSION)
        for start in range(0, len(part), chunk_bytes):
            await writer.write(part[start : start + chunk_bytes])
        if number == len(parts):
            stored = await writer.commit(Digest.of(content))
        await writer.release()
    reader = await place.store.reader(stored.physical, stored.size)
    assert reader is not None
    found = await read_all(reader)
    await place.store.aclose()
    return found


@pytest.mark.parametrize("chunk_bytes", [BLOCK_BYTES, 65_536, 100_003, 262_144, 1_048_577])
async def test_a_large_upload_is_written_directly_whatever_its_chunks(
    tmp_path: Path, chunk_bytes: int
) -> None:
    system = CountingSystem()

    with Root.open(tmp_path) as root:
        stored = await push(root, system, (CONTENT, chunk_bytes))

    assert stored == CONTENT
    assert system.direct_bytes > len(CONTENT) // 2
    assert system.direct_bytes % BLOCK_BYTES == 0


async def test_an_upload_resumed_between_blocks_is_complete(tmp_path: Path) -> None:
    system = CountingSystem()

    with Root.open(tmp_path) as root:
        stored = await push(
            root, system, (CONTENT[:3_000_001], 70_001), (CONTENT[3_000_001:], 99_999)
        )

    assert stored == CONTENT


async def test_a_file_system_that_refuses_direct_writes_gets_ordinary_ones(
    tmp_path: Path,
) -> None:
    system = CountingSystem(refuse=errno.EINVAL)

    with Root.open(tmp_path) as root:
        stored = await push(root, system, (CONTENT, 262_144))

    assert stored == CONTENT
    assert system.direct_bytes == 0


def test_a_descriptor_that_cannot_be_opened_for_direct_writes_gives_none(tmp_path: Path) -> None:
    directory = os.open(tmp_path, os.O_RDONLY)

    try:
        file = DirectFile(directory, UploadMemory(), least=0, most=BLOCK_BYTES)
        assert file.align([bytes(BLOCK_BYTES)], 0) is None
    finally:
        os.close(directory)
