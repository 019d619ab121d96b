"""Two concurrent requests to one session: at most one ends it, and both responses agree."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from oci.digest import Digest
from registry.errors import BlobUnknown, BlobUploadUnknown, ClaimLost
from registry.services.operator.open_uploads import cancel_uploads
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


async def cancel_by_client(service: Service, session: str) -> None:
    await service.repository().uploads.cancel(session)


async def cancel_by_operator(service: Service, session: str) -> None:
    await cancel_uploads(service.state, "operator", lambda upload: upload.id == session)


async def claim_again(service: Service, session: str) -> None:
    await service.state.sessions.claim(session, "sha256")


SENT = Digest.of(b"beforeafter")
Meanwhile = Callable[[Service, str], Awaitable[None]]


async def sent_while(
    meanwhile: Meanwhile, service: Service, session: str, *chunks: bytes
) -> AsyncIterator[bytes]:
    """A body, in the middle of which something else happens to its session."""
    for number, chunk in enumerate(chunks):
        if number == 1:
            await meanwhile(service, session)
        yield chunk


async def append_during(meanwhile: Meanwhile, service: Service, session: str) -> None:
    sent = sent_while(meanwhile, service, session, b"before", b"after")
    await service.repository().uploads.append(session, sent, start=0, length=None)


async def commit_during(meanwhile: Meanwhile, service: Service, session: str) -> None:
    sent, digest = sent_while(meanwhile, service, session, b"before", b"after"), SENT
    await service.repository().uploads.commit(session, digest, sent, start=0, length=None)


@pytest.mark.parametrize("request_during", [append_during, commit_during])
@pytest.mark.parametrize("cancel", [cancel_by_client, cancel_by_operator])
async def test_a_request_whose_session_is_cancelled_meanwhile_is_refused_at_its_end(
    service: Service,
    request_during: Callable[[Meanwhile, Service, str], Awaitable[None]],
    cancel: Meanwhile,
) -> None:
    session = (await service.repository().uploads.start()).id

    with pytest.raises(BlobUploadUnknown):
        await request_during(cancel, service, session)

    assert service.files() == set()
    assert not service.state.sessions.is_known(session)


@pytest.mark.parametrize("request_during", [append_during, commit_during])
async def test_a_request_whose_claim_is_lost_is_refused_and_ends_no_session(
    service: Service, request_during: Callable[[Meanwhile, Service, str], Awaitable[None]]
) -> None:
    uploads = service.repository().uploads
    session = (await uploads.start()).id

    with pytest.raises(ClaimLost):
        await request_during(claim_again, service, session)

    offset = (await uploads.status(session)).offset
    rest = body(b"beforeafter"[offset:])
    await uploads.commit(session, SENT, rest, start=offset, length=None)
    assert await is_here(service.repository(), SENT)


async def test_a_session_cancelled_before_its_file_is_opened_leaves_none(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploads = service.repository().uploads
    session = (await uploads.start()).id
    real = Uploads._touch

    async def cancel_first(uploads: Uploads, upload: StoredUpload) -> StoredUpload:
        monkeypatch.setattr(Uploads, "_touch", real)
        await uploads.cancel(session)
        return await real(uploads, upload)

    monkeypatch.setattr(Uploads, "_touch", cancel_first)

    with pytest.raises(BlobUploadUnknown):
        await uploads.append(session, body(b"content"), start=0, length=None)

    assert service.files() == set()
    assert not service.state.sessions.is_known(session)
