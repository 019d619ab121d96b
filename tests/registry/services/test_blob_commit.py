"""Blob commit: one atomic transaction, and no stray file."""

import asyncio
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from oci.digest import Digest
from registry.errors import BlobUnknown, BlobUploadUnknown, StorageFailed, StorageFull
from registry.services.blob_commit import VERIFICATION_MS, is_recently_verified
from registry.services.repositories import Repository
from registry.storage.blobs.filesystem.store import FilesystemBlobStore
from registry.storage.database.contract import Work
from registry.storage.database.sqlite import SQLiteDatabase
from registry.storage.metadata import blobs, uploads
from tests.support.registry.clocks import FakeClock
from tests.support.registry.storage import Service, a_service, body, pull_blob
from tests.support.registry.unreadable import BadPlace

CONTENT = b"content" * 1000
DIGEST = Digest.of(CONTENT)


async def commit(repository: Repository, session: str) -> None:
    await repository.uploads.commit(session, DIGEST, body(CONTENT), start=0, length=None)


class Gate:
    """Stops a thread in one function of os, until it may go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        self.reached, self._open = threading.Event(), threading.Event()
        real = getattr(os, name)

        def stop(*arguments: Any, **options: Any) -> Any:
            self.reached.set()
            self._open.wait(60)
            return real(*arguments, **options)

        monkeypatch.setattr(os, name, stop)

    async def wait(self) -> None:
        assert await asyncio.to_thread(self.reached.wait, 10)

    def open(self) -> None:
        self._open.set()


async def test_a_commit_whose_client_disconnected_runs_to_its_end(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = service.repository()
    session = await repository.uploads.start()
    gate = Gate(monkeypatch, "rename")

    request = asyncio.create_task(commit(repository, session.id))
    await gate.wait()
    request.cancel()
    await asyncio.sleep(0)
    request.cancel()
    gate.open()
    with pytest.raises(asyncio.CancelledError):
        await request

    assert await pull_blob(repository, DIGEST) == CONTENT
    assert len(service.files()) == 1


async def test_a_session_that_ended_between_rename_and_transaction_publishes_nothing(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Expire an upload that took too long: the transaction finds no row."""
    repository = service.repository()
    session = await repository.uploads.start()
    gate = Gate(monkeypatch, "rename")

    request = asyncio.create_task(commit(repository, session.id))
    await gate.wait()
    assert await service.database.write(
        lambda connection: uploads.end(connection, repository.name, session.id)
    )
    gate.open()

    with pytest.raises(BlobUploadUnknown):
        await request
    with pytest.raises(BlobUnknown):
        await repository.blobs.stat(DIGEST)
    assert service.files() == set()


async def test_a_database_that_is_full_publishes_nothing(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = service.repository()
    session = await repository.uploads.start()

    async def full(_database: SQLiteDatabase, _unit: Work[Any], **_options: Any) -> None:
        raise StorageFull

    with monkeypatch.context() as patched:
        patched.setattr(SQLiteDatabase, "write", full)
        with pytest.raises(StorageFull):
            await commit(repository, session.id)

    with pytest.raises(BlobUnknown):
        await repository.blobs.stat(DIGEST)
    assert service.files() == set()


async def test_bytes_whose_commit_failed_stay_as_the_log_may_bring_their_row_back(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = service.repository()
    session = await repository.uploads.start()

    async def fail(_database: SQLiteDatabase, _unit: Work[Any], **_options: Any) -> None:
        raise StorageFailed("disk I/O error")

    with monkeypatch.context() as patched:
        patched.setattr(SQLiteDatabase, "write", fail)
        with pytest.raises(StorageFailed):
            await commit(repository, session.id)

    [left] = service.files()
    assert DIGEST.encoded in left


async def test_bytes_whose_row_was_written_stay_though_the_answer_failed(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = service.repository()
    session = await repository.uploads.start()
    real = SQLiteDatabase.write

    async def commit_then_fail(database: SQLiteDatabase, unit: Work[Any], **_options: Any) -> None:
        await real(database, unit)
        raise StorageFull

    with monkeypatch.context() as patched:
        patched.setattr(SQLiteDatabase, "write", commit_then_fail)
        with pytest.raises(StorageFull):
            await commit(repository, session.id)

    assert await pull_blob(repository, DIGEST) == CONTENT


async def test_a_corrupt_blob_is_absent_until_it_is_pushed_again(service: Service) -> None:
    repository = service.repository()
    await commit(repository, (await repository.uploads.start()).id)
    ((physical,),) = await service.rows("SELECT physical FROM blobs")

    def corrupt(connection: Connection) -> None:
        blobs.mark_corrupt(connection, physical)

    await service.database.write(corrupt)
    with pytest.raises(BlobUnknown):
        await repository.blobs.stat(DIGEST)
    await commit(repository, (await repository.uploads.start()).id)

    assert await pull_blob(repository, DIGEST) == CONTENT
    assert await service.rows("SELECT physical FROM trash") == [(physical,)]


async def push(service: Service, name: str = "team/app") -> None:
    repository = service.repository(name)
    await commit(repository, (await repository.uploads.start()).id)


def file_of(service: Service) -> Path:
    [file] = service.files()
    return service.root / file


def damage(path: Path) -> None:
    """Change one byte, as if the disk had done it long ago."""
    path.chmod(0o600)
    with path.open("r+b") as file:
        file.seek(5)
        file.write(b"X")


async def test_a_push_replaces_corrupt_bytes_that_are_not_marked(
    service: Service,
) -> None:
    await push(service)
    corrupt = file_of(service)
    damage(corrupt)

    await push(service, "team/other")

    assert await pull_blob(service.repository(), DIGEST) == CONTENT
    assert await service.rows("SELECT physical FROM trash") == [(corrupt.name,)]


async def test_a_push_over_bytes_that_cannot_be_read_replaces_them(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await push(service)
    bad = BadPlace(monkeypatch, file_of(service), 0)

    await push(service)

    assert bad.met
    assert await pull_blob(service.repository(), DIGEST) == CONTENT


class CountedReads:
    """How often the store was asked to read a whole blob."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        real = FilesystemBlobStore.verify

        async def verify(
            store: FilesystemBlobStore, physical: str, algorithm: str
        ) -> Digest | None:
            self.count += 1
            return await real(store, physical, algorithm)

        monkeypatch.setattr(FilesystemBlobStore, "verify", verify)


async def test_bytes_that_were_verified_not_long_ago_are_not_read_for_each_push(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads, clock = CountedReads(monkeypatch), FakeClock(wall=int(time.time() * 1000))
    async with a_service(tmp_path / "root", clock=clock) as service:
        await push(service)

        found = []
        for passed_ms in (60_000, 1000, VERIFICATION_MS, 1000):
            clock.advance(passed_ms)
            await push(service)
            found.append(reads.count)

        # The first finds a file that was written about when it was verified.
        assert found == [1, 1, 2, 2]
        assert await service.rows("SELECT COUNT(*) FROM trash") == [(0,)]


@pytest.mark.parametrize(
    ("verified_at", "changed_at", "expected"),
    [
        (1_000_000, 900_000, True),
        (1_000_000, 999_000, False),
        (1_000_000, 1_000_500, False),
        (1_000_001, 900_000, False),
        (1_000_000 - VERIFICATION_MS, 0, False),
        (None, 900_000, False),
    ],
    ids=[
        "just verified",
        "changed about when it was verified",
        "changed after it was verified",
        "verified in the future",
        "verified long ago",
        "never verified",
    ],
)
def test_bytes_are_trusted_for_a_while_after_they_were_verified(
    verified_at: int | None, changed_at: int, expected: bool
) -> None:
    assert is_recently_verified(verified_at, changed_at, now=1_000_000) is expected
