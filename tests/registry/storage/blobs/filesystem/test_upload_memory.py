"""UploadMemory: idle uploads take bounded memory, however many they are."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from oci.digest import Digest
from registry.storage.blobs.contract import BlobWriter
from registry.storage.blobs.filesystem.store import FilesystemBlobStore
from registry.storage.blobs.filesystem.upload_memory import UploadMemory
from registry.storage.disk.root import Root
from tests.support.registry.claims import Place
from tests.support.registry.guards import MemoryGuard

LIMIT = 1_000_000
CHUNK = 64 * 1024


@pytest.fixture
def memory() -> UploadMemory:
    return UploadMemory(max_gathered=LIMIT)


@pytest.fixture
async def store(tmp_path: Path, memory: UploadMemory) -> AsyncIterator[FilesystemBlobStore]:
    with Root.open(tmp_path / "root") as root:
        store = FilesystemBlobStore(root, MemoryGuard(), memory=memory)
        yield store
        await store.aclose()


async def begin(store: FilesystemBlobStore) -> BlobWriter:
    place = Place(store)
    return await place.writer(await place.a_session())


async def test_buffered_bytes_above_the_limit_are_written(
    store: FilesystemBlobStore, memory: UploadMemory
) -> None:
    writers = [await begin(store) for _ in range(50)]
    most = 0

    for _ in range(5):
        for writer in writers:
            await writer.write(bytes(CHUNK))
            most = max(most, memory.buffered)
    gathered = memory.buffered
    for writer in writers:
        await writer.commit(Digest.of(bytes(5 * CHUNK)))
        await writer.release()

    assert 0 < gathered <= LIMIT
    assert most <= LIMIT + CHUNK
    assert memory.buffered == 0


async def test_an_upload_that_is_let_go_of_leaves_nothing_counted(
    store: FilesystemBlobStore, memory: UploadMemory
) -> None:
    cut, rewound = await begin(store), await begin(store)

    await cut.write(bytes(CHUNK))
    await cut.release()
    await rewound.write(bytes(CHUNK))
    await rewound.rewind(10)
    await rewound.write(bytes(10))
    await rewound.release()

    assert memory.buffered == 0


async def test_only_so_many_uploads_have_memory_of_their_own_for_direct_writes(
    tmp_path: Path,
) -> None:
    memory, content = UploadMemory(max_direct=2), os.urandom(3 * 1024 * 1024)
    with Root.open(tmp_path / "root") as root:
        store = FilesystemBlobStore(root, MemoryGuard(), memory=memory)
        writers = [await begin(store) for _ in range(4)]

        for start in range(0, len(content), CHUNK):
            for writer in writers:
                await writer.write(content[start : start + CHUNK])
        is_taken = not memory.acquire_direct()
        for writer in writers:
            await writer.commit(Digest.of(content))
            await writer.release()
        await store.aclose()

    assert is_taken
    assert [memory.acquire_direct() for _ in range(3)] == [True, True, False]
