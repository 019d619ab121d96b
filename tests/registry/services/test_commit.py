"""The one transaction in which bytes become a blob: all of it, or none, and no stray file."""

import asyncio
import os
import threading
from typing import Any

import pytest
from sqlalchemy import Connection

from oci.digest import Digest
from registry.errors import BlobUnknown, BlobUploadUnknown, StorageFailed, StorageFull
from registry.services.repositories import Repository
from registry.storage.metadata import blobs, uploads
from registry.storage.metadata.database import Database, Unit
from tests.support.storage import Service, body, pull_blob

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
            self._open.wait(10)
            return real(*arguments, **options)

        monkeypatch.setattr(os, name, stop)

    async def wait(self) -> None:
        assert await asyncio.to_thread(self.reached.wait, 10)

    def open(self) -> None:
        self._open.set()


async def test_a_commit_whose_client_went_away_goes_on_to_its_end(
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
    """What an expiry does to an upload that took too long: the transaction finds no row."""
    repository = service.repository()
    session = await repository.uploads.start()
    gate = Gate(monkeypatch, "rename")

    request = asyncio.create_task(commit(repository, session.id))
    await gate.wait()
    assert await service.database.write(
        lambda connection: uploads.take(connection, repository.name, session.id)
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

    async def full(_database: Database, _unit: Unit[Any]) -> None:
        raise StorageFull

    with monkeypatch.context() as patched:
        patched.setattr(Database, "write", full)
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

    async def fail(_database: Database, _unit: Unit[Any]) -> None:
        raise StorageFailed("disk I/O error")

    with monkeypatch.context() as patched:
        patched.setattr(Database, "write", fail)
        with pytest.raises(StorageFailed):
            await commit(repository, session.id)

    [left] = service.files()
    assert DIGEST.encoded in left


async def test_bytes_whose_row_was_written_stay_though_the_answer_failed(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = service.repository()
    session = await repository.uploads.start()
    real = Database.write

    async def commit_then_fail(database: Database, unit: Unit[Any]) -> None:
        await real(database, unit)
        raise StorageFull

    with monkeypatch.context() as patched:
        patched.setattr(Database, "write", commit_then_fail)
        with pytest.raises(StorageFull):
            await commit(repository, session.id)

    assert await pull_blob(repository, DIGEST) == CONTENT


async def test_a_corrupt_blob_is_absent_until_it_is_pushed_again(service: Service) -> None:
    repository = service.repository()
    await commit(repository, (await repository.uploads.start()).id)
    ((physical,),) = await service.rows("SELECT physical FROM blobs")

    def corrupt(connection: Connection) -> None:
        blobs.condemn(connection, physical)

    await service.database.write(corrupt)
    with pytest.raises(BlobUnknown):
        await repository.blobs.stat(DIGEST)
    await commit(repository, (await repository.uploads.start()).id)

    assert await pull_blob(repository, DIGEST) == CONTENT
    assert await service.rows("SELECT physical FROM trash") == [(physical,)]
