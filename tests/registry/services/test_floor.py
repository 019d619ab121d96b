"""Below the minimum free space every growing write is refused; deletes continue."""

from pathlib import Path
from uuid import uuid4

import pytest

from oci.reference import Tag
from registry.errors import StorageFull
from registry.storage.disk.free_space import MinimumFree
from registry.trash.undelete import undelete_digest
from tests.support.images import an_image
from tests.support.registry.storage import (
    a_service,
    body,
    pull_blob,
    push_blob,
    push_blobs,
    push_image,
)

MORE_THAN_ANY_DISK = MinimumFree(bytes=1 << 62)
KEPT, NEW, GONE = an_image(seed="kept"), an_image(seed="new"), an_image(seed="gone")


async def test_below_the_minimum_only_deletes_continue(tmp_path: Path) -> None:
    async with a_service(tmp_path / "root") as service:
        repository = service.repository()
        await push_image(repository, KEPT, Tag("v1"))
        await push_image(repository, GONE, Tag("gone"))
        await repository.manifests.delete(GONE.digest)
        await push_blobs(repository, NEW.blobs.values())
        session = await repository.uploads.start()

    async with a_service(tmp_path / "root", floor=MORE_THAN_ANY_DISK) as service:
        repository, files = service.repository(), service.files()

        with pytest.raises(StorageFull):
            await repository.uploads.start()
        with pytest.raises(StorageFull):
            await repository.uploads.append(session.id, body(b"more"), start=0, length=None)
        with pytest.raises(StorageFull):
            await push_blob(repository, b"more")
        with pytest.raises(StorageFull):
            await repository.manifests.push(Tag("v2"), NEW.manifest, NEW.media_type)
        with pytest.raises(StorageFull):
            await undelete_digest(service.state, "op", GONE.digest)
        with pytest.raises(StorageFull):
            await service.store.begin(str(uuid4()))

        assert service.files() == files
        assert (await repository.manifests.pull(Tag("v1"))).content == KEPT.manifest
        for digest, content in KEPT.blobs.items():
            assert await pull_blob(repository, digest) == content
        await repository.uploads.cancel(session.id)
        await repository.manifests.delete(KEPT.digest)
        assert len(service.files()) == len(files) - 1
