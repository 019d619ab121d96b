"""Two concurrent requests to one session: at most one ends it, and both responses agree."""

import asyncio
import os
from pathlib import Path

import pytest

from oci.digest import Digest
from registry.errors import BlobUnknown, BlobUploadUnknown
from registry.services.repositories import Repository
from registry.services.uploads import Uploads
from registry.storage.metadata.uploads import StoredUpload
from tests.support.registry.storage import Service, a_service, body, pull_blob

ROUNDS = 50


async def is_here(repository: Repository, digest: Digest) -> bool:
    try:
        await pull_blob(repository, digest)
    except BlobUnknown:
        return False
    return True


async def test_a_session_is_either_cancelled_or_committed(service: Service) -> None:
    repository = service.repository()

    for number in range(ROUNDS):
        content = os.urandom(1000)
        digest = Digest.of(content)
        session = await repository.uploads.start()
        await repository.uploads.append(session.id, body(content), start=0, length=None)
        cancelling = asyncio.create_task(repository.uploads.cancel(session.id))
        for _ in range(number % 10):
            await asyncio.sleep(0)
        committing = asyncio.create_task(
            repository.uploads.commit(session.id, digest, body(), start=None, length=None)
        )
        results = await asyncio.gather(cancelling, committing, return_exceptions=True)

        assert [type(result) for result in results if result is not None] == [BlobUploadUnknown]
        assert await is_here(repository, digest) is (results[1] is None)


async def test_a_cancel_that_finds_the_session_just_before_it_is_committed_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_service(tmp_path / "root") as service:
        repository = service.repository()
        session = await repository.uploads.start()
        digest = Digest.of(b"content")
        real = Uploads._find

        async def find_late(uploads: Uploads, session: str) -> StoredUpload:
            found = await real(uploads, session)
            monkeypatch.setattr(Uploads, "_find", real)
            await repository.uploads.commit(
                session, digest, body(b"content"), start=None, length=None
            )
            return found

        monkeypatch.setattr(Uploads, "_find", find_late)

        with pytest.raises(BlobUploadUnknown):
            await repository.uploads.cancel(session.id)

        assert await is_here(repository, digest)
