"""A failing read: reported with the blob's name, and no latch is tripped."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from oci.digest import Digest
from registry.errors import BlobUnreadable, StorageUnreadable
from registry.services.blobs import probe
from registry.storage.disk import regular_file
from tests.support.registry.storage import Service, body, pull_blob, push_blob, read_all
from tests.support.registry.unreadable import BadPlace

CONTENT = os.urandom(700_000)
BAD = 300_000


def file_of(service: Service, digest: Digest) -> Path:
    [path] = service.root.glob(f"blobs/*/{digest.encoded}-*")
    return path


@pytest.fixture
async def digest(service: Service) -> Digest:
    return await push_blob(service.repository(), CONTENT)


def failing(monkeypatch: pytest.MonkeyPatch, call: str, path: Path, code: int) -> None:
    """Let this call of ``os`` fail for one file, which it is given by its name."""
    real = getattr(os, call)

    def perform(name: Any, *arguments: Any, **options: Any) -> Any:
        if isinstance(name, str) and name.endswith(path.name):
            raise OSError(code, os.strerror(code))
        return real(name, *arguments, **options)

    monkeypatch.setattr(os, call, perform)


@pytest.mark.parametrize("code", [errno.EIO, errno.EUCLEAN, errno.EMFILE])
async def test_a_blob_that_cannot_be_opened_is_unreadable_and_not_unknown(
    service: Service, digest: Digest, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    # The one call that would open it fails too, and says no more than that.
    monkeypatch.setattr(regular_file, "open_below", lambda *_, **__: None)
    failing(monkeypatch, "open", file_of(service, digest), code)

    with pytest.raises(BlobUnreadable, match=f"could not read blob {digest}: {os.strerror(code)}"):
        await service.repository().blobs.open(digest)

    monkeypatch.undo()
    assert await pull_blob(service.repository(), digest) == CONTENT


async def test_a_blob_whose_first_byte_cannot_be_read_is_not_opened(
    service: Service, digest: Digest, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = len(os.listdir("/proc/self/fd"))
    BadPlace(monkeypatch, file_of(service, digest), 0)

    with pytest.raises(BlobUnreadable, match="Input/output error"):
        await service.repository().blobs.open(digest)

    assert len(os.listdir("/proc/self/fd")) == before


async def test_the_reads_of_an_open_blob_end_at_the_bad_place(
    service: Service, digest: Digest, monkeypatch: pytest.MonkeyPatch
) -> None:
    BadPlace(monkeypatch, file_of(service, digest), BAD)
    reader = await service.repository().blobs.open(digest)
    received = bytearray()

    async def read() -> None:
        async for chunk in reader.chunks():
            received.extend(chunk)

    with pytest.raises(StorageUnreadable, match="could not read its disk: Input/output error"):
        await read()
    with pytest.raises(StorageUnreadable):
        await probe(reader, BAD)
    await probe(reader, BAD - 1)
    await reader.aclose()

    assert received == CONTENT[:BAD]


async def test_a_blob_cut_short_under_a_reader_is_unreadable(
    service: Service, digest: Digest
) -> None:
    reader = await service.repository().blobs.open(digest)
    path = file_of(service, digest)
    path.chmod(0o600)
    os.truncate(path, BAD)

    with pytest.raises(StorageUnreadable, match=f"ended at byte {BAD}, expected {len(CONTENT)}"):
        await read_all(reader)


async def test_a_failed_read_closes_no_latch_and_condemns_nothing(
    service: Service, digest: Digest, monkeypatch: pytest.MonkeyPatch
) -> None:
    BadPlace(monkeypatch, file_of(service, digest), 0)

    with pytest.raises(StorageUnreadable):
        await service.repository().blobs.open(digest)

    assert service.database.guard.problem is None
    other = await push_blob(service.repository(), b"another")
    assert await pull_blob(service.repository(), other) == b"another"
    assert await service.rows("SELECT state FROM blobs WHERE state != 'ok'") == []


async def test_an_uploads_offset_is_an_error_while_its_file_is_unreadable(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploads = service.repository().uploads
    session = (await uploads.start()).id
    await uploads.append(session, body(CONTENT), start=0, length=None)
    service.state.sessions.evict(session)  # as a restart does
    failing(monkeypatch, "stat", Path(session), errno.EIO)

    with pytest.raises(StorageUnreadable, match="could not read its disk"):
        await uploads.status(session)

    monkeypatch.undo()
    assert (await uploads.status(session)).offset == len(CONTENT)


async def test_a_push_replaces_unreadable_bytes(
    service: Service, digest: Digest, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploads = service.repository().uploads
    session = (await uploads.start()).id
    failing(monkeypatch, "stat", file_of(service, digest), errno.EIO)

    await uploads.commit(session, digest, body(CONTENT), start=0, length=len(CONTENT))

    assert await service.rows("SELECT id FROM uploads") == []
    assert await pull_blob(service.repository(), digest) == CONTENT
