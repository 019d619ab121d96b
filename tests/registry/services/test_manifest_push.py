"""References that are deleted before the transaction of a push are missing in it."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from oci.reference import Tag
from registry.errors import ManifestReferencesMissing, ManifestUnknown
from registry.services.repositories import Repository
from registry.storage.database.sqlite import SQLiteDatabase
from tests.support.images import Image, Index, an_image, an_index
from tests.support.registry.integrity import wrongs
from tests.support.registry.storage import Service, push_blobs, push_image

TAG = Tag("v1")
Loss = Callable[[], Awaitable[None]]


async def push_losing(
    monkeypatch: pytest.MonkeyPatch, repository: Repository, pushed: Image | Index, loss: Loss
) -> None:
    """Push a manifest; what it names goes when everything but the transaction is done."""
    write = SQLiteDatabase.write

    async def late(*arguments: Any, **options: Any) -> Any:
        patched.undo()
        await loss()
        return await write(*arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(SQLiteDatabase, "write", late)
        await repository.manifests.push(TAG, pushed.manifest, pushed.media_type)


async def is_refused_whole(service: Service) -> bool:
    with pytest.raises(ManifestUnknown):
        await service.repository().manifests.pull(TAG)
    return await wrongs(service) == []


async def test_a_blob_deleted_just_before_the_transaction_is_missing_in_it(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository, image = service.repository(), an_image()
    await push_blobs(repository, image.blobs.values())
    layer = list(image.blobs)[-1]

    with pytest.raises(ManifestReferencesMissing, match=str(layer)):
        await push_losing(monkeypatch, repository, image, lambda: repository.blobs.delete(layer))

    assert await is_refused_whole(service)


async def test_a_child_deleted_just_before_the_transaction_is_missing_in_it(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository, child = service.repository(), an_image()
    await push_image(repository, child)
    index = an_index(child)

    async def loss() -> None:
        await repository.manifests.delete(child.digest)

    with pytest.raises(ManifestReferencesMissing, match=str(child.digest)):
        await push_losing(monkeypatch, repository, index, loss)

    assert await is_refused_whole(service)
