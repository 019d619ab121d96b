"""FilesystemBlobStore: removal in batches."""

import errno
import os
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from oci.digest import Digest
from registry.errors import BlobUploadUnknown, RegistryReadOnly
from registry.storage.blobs.filesystem.store import FilesystemBlobStore
from registry.storage.blobs.names import blob_path
from registry.storage.disk.root import Root


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[FilesystemBlobStore]:
    with Root.open(tmp_path) as root:
        store = FilesystemBlobStore(root)
        yield store
        await store.aclose()


async def a_session(store: FilesystemBlobStore, content: bytes) -> str:
    session = str(uuid4())
    await store.begin(session)
    writer = await store.writer(session, "sha256")
    await writer.write(content)
    await writer.aclose()
    return session


async def a_blob(store: FilesystemBlobStore, content: bytes) -> str:
    writer = await store.writer(await a_session(store, content), "sha256")
    physical = await writer.commit(Digest.of(content))
    await writer.aclose()
    return physical


async def test_a_file_that_cannot_be_removed_keeps_no_other_one(
    store: FilesystemBlobStore, tmp_path: Path
) -> None:
    names = [await a_blob(store, b"%d" % number) for number in range(5)]
    for stuck in names[1:3]:
        (tmp_path / blob_path(stuck)).unlink()
        (tmp_path / blob_path(stuck)).mkdir()

    failed = await store.remove(names)

    assert list(failed) == names[1:3]
    assert {error.reason for error in failed.values()} == {"Is a directory"}
    assert [(tmp_path / blob_path(name)).exists() for name in names] == [
        name in failed for name in names
    ]


async def test_a_disk_that_fails_ends_the_batch(
    store: FilesystemBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [await a_blob(store, b"%d" % number) for number in range(3)]
    tried = []

    def fail(path: str, *, dir_fd: int | None = None) -> None:
        tried.append(path)
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "unlink", fail)

    with pytest.raises(RegistryReadOnly):
        await store.remove(names)
    assert tried == [blob_path(names[0])]


async def test_names_that_the_store_never_gives_reach_no_file(
    store: FilesystemBlobStore, tmp_path: Path
) -> None:
    await a_session(store, b"a session's")
    files = list((tmp_path / "uploads").iterdir())
    for name in ("../../etc/passwd", "", f"uploads/{files[0].name}", "uploads/..", "registry.db"):
        with pytest.raises(BlobUploadUnknown):
            await store.writer(name, "sha256")
        await store.discard(name)
        assert await store.offset(name) is None
        assert await store.remove([name]) == {}
        assert await store.stat(name) is None
        assert await store.open(name) is None

    assert [path.read_bytes() for path in files] == [b"a session's"]


async def names_of(store: FilesystemBlobStore) -> list[str]:
    return [
        file.name
        for part in range(store.parts)
        async for listed in store.listing(part)
        for file in listed
    ]


async def test_a_misnamed_file_is_removed_by_its_path(
    store: FilesystemBlobStore, tmp_path: Path
) -> None:
    wrong = f"blobs/00/{'ab' * 32}-{uuid4()}"
    for path in ("uploads/what", wrong):
        (tmp_path / path).touch()
    names = await names_of(store)

    assert await store.remove(names) == {}

    assert sorted(names) == sorted(["uploads/what", wrong])
    assert await names_of(store) == []
