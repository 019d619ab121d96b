"""MemoryBlobStore: it ends with the process, and has no file to link or to send."""

from pathlib import Path

from registry.storage.blobs.memory import CHUNK_BYTES, MemoryBlobStore
from tests.support.registry.claims import Place


async def test_there_is_no_file_behind_a_blob(tmp_path: Path) -> None:
    store = MemoryBlobStore()
    physical, size = await Place(store).a_blob(b"content")

    reader = await store.reader(physical, size)

    assert reader is not None
    assert reader.file is None
    assert not await store.link(physical, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


async def test_a_large_blob_is_read_in_chunks() -> None:
    store, content = MemoryBlobStore(), bytes(range(256)) * 1024 * 3
    physical, size = await Place(store).a_blob(content)
    reader = await store.reader(physical, size)
    assert reader is not None

    chunks = [chunk async for chunk in reader.chunks(1, size - 1)]

    assert b"".join(chunks) == content[1:-1]
    assert max(map(len, chunks)) == CHUNK_BYTES


async def test_another_store_has_none_of_it() -> None:
    physical, size = await Place(MemoryBlobStore()).a_blob(b"content")

    assert await MemoryBlobStore().reader(physical, size) is None
