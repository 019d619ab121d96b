"""Reading the store: blobs are measured, read and linked, and nothing is changed."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from registry.errors import StorageUnreadable
from registry.storage.blobs.filesystem.reading import CHUNK_BYTES
from registry.storage.blobs.filesystem.store import FilesystemBlobStore
from registry.storage.blobs.names import blob_path
from registry.storage.disk.root import Root
from tests.support.registry.claims import Place
from tests.support.registry.guards import MemoryGuard
from tests.support.registry.storage import read_all


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    with Root.open(tmp_path) as root:
        store = FilesystemBlobStore(root, MemoryGuard())
        yield Place(store)
        await store.aclose()


class ColdStore(FilesystemBlobStore):
    """A store whose files are not in memory: each is opened in a thread."""

    def _open_cached(self, physical: str, size: int) -> None:
        return None


@pytest.fixture(params=[FilesystemBlobStore, ColdStore])
async def either(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    with Root.open(tmp_path) as root:
        store: FilesystemBlobStore = request.param(root, MemoryGuard())
        yield Place(store)
        await store.aclose()


async def test_a_missing_blob_or_a_name_that_is_none_is_not_opened(either: Place) -> None:
    physical, size = await either.a_blob(b"hello")

    whole = await either.store.reader(physical, size)
    assert whole is not None
    await whole.aclose()
    assert await either.store.reader(physical[:-1] + "?", size) is None
    assert await either.store.reader("../" + physical, size) is None


@pytest.mark.parametrize("size", [0, 4, 6])
async def test_a_blob_of_another_size_is_not_opened(either: Place, size: int) -> None:
    physical, _ = await either.a_blob(b"hello")
    before = len(os.listdir("/proc/self/fd"))

    assert await either.store.reader(physical, size) is None
    assert len(os.listdir("/proc/self/fd")) == before
    whole = await either.store.reader(physical, 5)
    assert whole is not None
    assert await read_all(whole) == b"hello"


async def test_a_blob_is_measured_and_dated(place: Place, tmp_path: Path) -> None:
    physical, size = await place.a_blob(b"hello")
    written = (tmp_path / blob_path(physical)).stat()

    found = await place.store.stat(physical)

    assert found is not None
    assert found.size == size
    # Set back by hand, the time of the last write is still that of its change.
    os.utime(tmp_path / blob_path(physical), (0, 0))
    again = await place.store.stat(physical)
    assert again is not None
    assert again.changed_at >= written.st_ctime_ns // 1_000_000


async def test_a_file_cut_short_while_it_is_read_ends_the_reading(
    place: Place, tmp_path: Path
) -> None:
    physical, size = await place.a_blob(bytes(CHUNK_BYTES + 5))
    reader = await place.store.reader(physical, size)
    assert reader is not None
    os.truncate(tmp_path / blob_path(physical), CHUNK_BYTES)

    with pytest.raises(StorageUnreadable, match=f"ended at byte {CHUNK_BYTES}, expected {size}"):
        await read_all(reader)
    await reader.aclose()


async def test_a_linked_blob_is_the_same_file(place: Place, tmp_path: Path) -> None:
    physical, _ = await place.a_blob(b"hello")

    assert await place.store.link(physical, tmp_path / "copy")

    assert (tmp_path / "copy").samefile(tmp_path / blob_path(physical))
    assert not await place.store.link(physical, tmp_path / "absent" / "copy")
