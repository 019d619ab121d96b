"""FilesystemBlobStore: removal in batches, and readers that look at the size."""

import errno
import os
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from registry.errors import BlobUploadUnknown, RegistryReadOnly
from registry.storage.blobs.filesystem.store import FilesystemBlobStore
from registry.storage.blobs.names import blob_path
from registry.storage.disk.root import Root
from tests.support.registry.claims import Place
from tests.support.registry.guards import MemoryGuard


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    with Root.open(tmp_path) as root:
        store = FilesystemBlobStore(root, MemoryGuard())
        yield Place(store)
        await store.aclose()


async def test_a_file_that_cannot_be_removed_keeps_no_other_one(
    place: Place, tmp_path: Path
) -> None:
    names = [(await place.a_blob(b"%d" % number)).physical for number in range(5)]
    for stuck in names[1:3]:
        (tmp_path / blob_path(stuck)).unlink()
        (tmp_path / blob_path(stuck)).mkdir()

    failed = await place.store.remove(names)

    assert list(failed) == names[1:3]
    assert {error.reason for error in failed.values()} == {"Is a directory"}
    assert [(tmp_path / blob_path(name)).exists() for name in names] == [
        name in failed for name in names
    ]


async def test_a_disk_that_fails_ends_the_batch(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [(await place.a_blob(b"%d" % number)).physical for number in range(3)]
    tried = []

    def fail(path: str, *, dir_fd: int | None = None) -> None:
        tried.append(path)
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "unlink", fail)

    with pytest.raises(RegistryReadOnly):
        await place.store.remove(names)
    assert tried == [blob_path(names[0])]


async def test_names_that_the_store_never_gives_reach_no_file(place: Place, tmp_path: Path) -> None:
    await place.a_session(b"a session's")
    files = list((tmp_path / "uploads").iterdir())
    for name in ("../../etc/passwd", "", f"uploads/{files[0].name}", "uploads/..", "registry.db"):
        with pytest.raises(BlobUploadUnknown):
            await place.writer(name)
        await place.discard(name)
        assert await place.store.offset(name) is None
        assert await place.store.remove([name]) == {}
        assert await place.store.stat(name) is None
        assert await place.store.reader(name, 11) is None

    assert [path.read_bytes() for path in files] == [b"a session's"]


async def names_of(place: Place) -> list[str]:
    return [
        file.name
        for part in range(place.store.parts)
        async for listed in place.store.listing(part)
        for file in listed
    ]


async def test_a_misnamed_file_is_removed_by_its_path(place: Place, tmp_path: Path) -> None:
    wrong = f"blobs/00/{'ab' * 32}-{uuid4()}"
    for path in ("uploads/what", wrong):
        (tmp_path / path).touch()
    names = await names_of(place)

    assert await place.store.remove(names) == {}

    assert sorted(names) == sorted(["uploads/what", wrong])
    assert await names_of(place) == []
