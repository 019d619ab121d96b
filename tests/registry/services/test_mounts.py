"""Mounting a blob from another repository, named or not."""

import threading

import pytest

from oci.digest import Digest
from oci.reference import RepositoryName
from registry.errors import BlobUnknown
from registry.services import uploads
from registry.services.repositories import Repository
from tests.support.registry.storage import Service, pull_blob, push_blob

CONTENT = b"a layer that two images share"
DIGEST = Digest.of(CONTENT)


@pytest.fixture
async def source(service: Service) -> Repository:
    source = service.repository("source")
    await push_blob(source, CONTENT)
    return source


async def test_a_mounted_blob_is_a_member_of_both(service: Service, source: Repository) -> None:
    target = service.repository("target")

    assert await target.uploads.mount(DIGEST, source)

    assert await pull_blob(target, DIGEST) == CONTENT
    await source.blobs.delete(DIGEST)
    assert await pull_blob(target, DIGEST) == CONTENT
    assert len(service.files()) == 1


async def test_a_blob_the_source_lacks_is_not_mounted(service: Service, source: Repository) -> None:
    target, empty = service.repository("target"), service.repository("empty")

    assert not await target.uploads.mount(DIGEST, empty)
    assert not await target.uploads.mount(Digest.of(b"nowhere"), source)

    with pytest.raises(BlobUnknown):
        await target.blobs.stat(DIGEST)


async def test_without_a_source_any_readable_repository_will_do(
    service: Service, source: Repository
) -> None:
    hidden, target = service.repository("hidden"), service.repository("target")

    async def readable(name: RepositoryName) -> bool:
        return name != source.name

    assert not await hidden.uploads.mount(DIGEST, None, readable=readable)
    assert await target.uploads.mount(DIGEST, None)

    assert await target.blobs.stat(DIGEST) == len(CONTENT)
    with pytest.raises(BlobUnknown):
        await hidden.blobs.stat(DIGEST)


async def test_a_blob_that_lost_its_file_is_not_mounted(
    service: Service, source: Repository
) -> None:
    (file,) = service.files()
    (service.root / file).unlink()

    assert not await service.repository("target").uploads.mount(DIGEST, source)


async def many_holders(service: Service) -> None:
    for number in range(5):
        await push_blob(service.repository(f"team/{number}"), CONTENT)


async def test_of_many_repositories_the_first_that_may_be_read_is_found(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await many_holders(service)
    monkeypatch.setattr(uploads, "SOURCES_PER_BATCH", 2)
    asked: list[str] = []

    async def readable(name: RepositoryName) -> bool:
        # Never under the write lock, whose thread is another.
        assert threading.current_thread() is threading.main_thread()
        asked.append(str(name))
        return str(name) == "team/3"

    assert await service.repository("target").uploads.mount(DIGEST, None, readable=readable)
    assert asked == ["team/0", "team/1", "team/2", "team/3"]


async def test_of_very_many_repositories_some_are_asked_for(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await many_holders(service)
    monkeypatch.setattr(uploads, "SOURCES_PER_BATCH", 2)
    monkeypatch.setattr(uploads, "MAX_SOURCES", 4)
    asked: list[str] = []

    async def readable(name: RepositoryName) -> bool:
        asked.append(str(name))
        return False

    assert not await service.repository("target").uploads.mount(DIGEST, None, readable=readable)
    assert len(asked) == 4
