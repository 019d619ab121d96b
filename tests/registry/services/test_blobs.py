"""Blobs: readable through membership only, and absent at once when deleted."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from oci.digest import Digest
from registry.errors import BlobInUse, BlobUnknown
from registry.services.repositories import Repository
from registry.storage.blobs.contract import BlobReader
from registry.storage.blobs.filesystem.store import FilesystemBlobStore
from registry.storage.metadata import blobs
from tests.support.images import an_image
from tests.support.registry.storage import Service, pull_blob, push_blob, push_image, read_all

CONTENT = b"bytes"


async def test_az_4_a_blob_is_unknown_in_every_other_repository(service: Service) -> None:
    digest = await push_blob(service.repository("private"), CONTENT)
    other = service.repository("other")

    with pytest.raises(BlobUnknown):
        await other.blobs.stat(digest)
    with pytest.raises(BlobUnknown):
        await other.blobs.open(digest)
    with pytest.raises(BlobUnknown):
        await other.blobs.delete(digest)


async def test_az_4_the_refusal_is_the_same_as_for_unknown_content(service: Service) -> None:
    digest = await push_blob(service.repository("private"), CONTENT)
    nobodys = Digest.of(b"nobody's")

    with pytest.raises(BlobUnknown) as elsewhere:
        await service.repository("other").blobs.stat(digest)
    with pytest.raises(BlobUnknown) as nowhere:
        await service.repository("other").blobs.stat(nobodys)

    assert str(elsewhere.value) == str(nowhere.value).replace(str(nobodys), str(digest))


@pytest.mark.parametrize("is_marked", [True, False], ids=["marked", "found by the pull"])
async def test_the_error_for_a_corrupt_blob_asks_for_a_push_in_its_repositories_only(
    service: Service, is_marked: bool
) -> None:
    repository = service.repository()
    digest = await push_blob(repository, CONTENT)
    ((physical,),) = await service.rows("SELECT physical FROM blobs")
    (service.root / "blobs" / physical[:2] / physical).unlink()
    if is_marked:
        await service.database.write(lambda connection: blobs.mark_corrupt(connection, physical))

    for _ in range(2):
        with pytest.raises(BlobUnknown, match="corrupt on the registry's disk; push it again"):
            await repository.blobs.open(digest)
    with pytest.raises(BlobUnknown, match="no blob"):
        await service.repository("other").blobs.open(digest)
    await push_blob(repository, CONTENT)
    assert await pull_blob(repository, digest) == CONTENT


async def test_a_deleted_blob_is_gone_at_once_and_its_bytes_are_trash(service: Service) -> None:
    repository = service.repository()
    digest = await push_blob(repository, CONTENT)

    await repository.blobs.delete(digest)

    with pytest.raises(BlobUnknown):
        await repository.blobs.stat(digest)
    with pytest.raises(BlobUnknown):
        await repository.blobs.delete(digest)
    assert await service.rows("SELECT * FROM blobs") == []
    ((physical, size),) = await service.rows("SELECT physical, size FROM trash")
    assert service.files() == {f"blobs/{physical[:2]}/{physical}"}
    assert size == len(CONTENT)


async def test_a_deleted_blob_can_be_pushed_again(repository: Repository) -> None:
    digest = await push_blob(repository, CONTENT)
    await repository.blobs.delete(digest)

    await push_blob(repository, CONTENT)

    assert await pull_blob(repository, digest) == CONTENT


async def test_deleting_in_one_repository_leaves_the_others(service: Service) -> None:
    digest = await push_blob(service.repository("one"), CONTENT)
    await push_blob(service.repository("two"), CONTENT)

    await service.repository("one").blobs.delete(digest)

    assert await pull_blob(service.repository("two"), digest) == CONTENT
    assert await service.rows("SELECT * FROM trash") == []


async def test_a_blob_that_a_manifest_names_is_not_deleted(repository: Repository) -> None:
    image = an_image()
    await push_image(repository, image)
    layer = image.layers[0].descriptor.digest

    with pytest.raises(BlobInUse, match=str(image.digest)):
        await repository.blobs.delete(layer)

    await repository.manifests.delete(image.digest)
    await repository.blobs.delete(layer)


async def test_a_reader_outlives_a_delete(repository: Repository) -> None:
    digest = await push_blob(repository, CONTENT)
    reader = await repository.blobs.open(digest)

    await repository.blobs.delete(digest)

    assert await read_all(reader) == CONTENT


async def test_a_blob_without_its_file_is_unknown_from_the_first_read_on(service: Service) -> None:
    repository = service.repository()
    digest = await push_blob(repository, CONTENT)
    (file,) = service.files()
    (service.root / file).unlink()

    with pytest.raises(BlobUnknown):
        await repository.blobs.open(digest)

    with pytest.raises(BlobUnknown):
        await repository.blobs.stat(digest)
    await push_blob(repository, CONTENT)
    assert await pull_blob(repository, digest) == CONTENT


def file_of(service: Service, digest: Digest) -> Path:
    [path] = service.root.glob(f"blobs/*/{digest.encoded}-*")
    return path


def cut_short(path: Path) -> None:
    os.truncate(path, 1)


def replace_by_a_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def replace_by_a_link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def replace_by_a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES = [Path.unlink, cut_short, replace_by_a_fifo, replace_by_a_link, replace_by_a_directory]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("may_push", [True, False])
async def test_head_of_a_blob_answers_as_a_pull_would(
    service: Service, damage: Callable[[Path], None], may_push: bool
) -> None:
    """A client that asks first then pushes a missing blob, and so replaces it."""
    repository = service.repository(may_push=may_push)
    digest = await push_blob(repository, CONTENT)
    damage(file_of(service, digest))

    with pytest.raises(BlobUnknown, match="corrupt"):
        await repository.blobs.stat(digest)

    with pytest.raises(BlobUnknown, match="corrupt"):
        await repository.blobs.open(digest)
    await push_blob(repository, CONTENT)
    assert await repository.blobs.stat(digest) == len(CONTENT)
    assert await pull_blob(repository, digest) == CONTENT


async def test_a_blob_that_is_replaced_while_it_is_opened_is_served(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = service.repository()
    digest = await push_blob(repository, CONTENT)
    file_of(service, digest).unlink()
    real = FilesystemBlobStore.reader

    async def heal_first(store: FilesystemBlobStore, physical: str, size: int) -> BlobReader | None:
        monkeypatch.setattr(FilesystemBlobStore, "reader", real)
        found = await real(store, physical, size)
        await push_blob(repository, CONTENT)
        return found

    monkeypatch.setattr(FilesystemBlobStore, "reader", heal_first)

    assert await pull_blob(repository, digest) == CONTENT
    assert await service.rows("SELECT state FROM blobs") == [("ok",)]


async def test_a_read_only_registry_still_reports_corrupt_content(service: Service) -> None:
    repository = service.repository()
    digest = await push_blob(repository, CONTENT)
    file_of(service, digest).unlink()
    service.database.guard.make_read_only("sync: Input/output error")

    with pytest.raises(BlobUnknown, match="corrupt"):
        await repository.blobs.open(digest)
