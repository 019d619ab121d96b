"""Purge: files of the trash are removed when the undelete window is over."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from registry.backup.backup import take_backup
from registry.storage import backup_directory as storage_backup
from registry.storage.backup_directory import Label
from registry.storage.database.contract import Work
from registry.storage.database.sqlite import SQLiteDatabase
from registry.trash.undelete import undelete_digest
from tests.support.registry.gc_service import SECOND, GcService, a_gc_service
from tests.support.registry.settings import default_retention
from tests.support.registry.storage import pull_blob, push_blob

WINDOW = default_retention(lease_ms=60 * SECOND, epoch_ms=10 * SECOND, undelete_ms=600 * SECOND)


async def test_while_a_backup_runs_no_file_is_purged_and_the_rest_continues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backup may take hours."""
    begun, go_on = threading.Event(), threading.Event()
    real = storage_backup.Backup.finish

    def finish(directory: storage_backup.Backup, label: Label, names: list[str]) -> None:
        begun.set()
        go_on.wait()
        real(directory, label, names)

    monkeypatch.setattr(storage_backup.Backup, "finish", finish)
    async with a_gc_service(tmp_path / "root", retention=WINDOW) as registry:
        repository, state = registry.repository(), registry.service.state
        old = await push_blob(repository, b"old")
        await repository.blobs.delete(old)
        await registry.pass_time(700)
        young = await push_blob(repository, b"young")
        await repository.blobs.delete(young)

        taking = asyncio.create_task(take_backup(state, tmp_path / "backup"))
        await asyncio.to_thread(begun.wait)
        meanwhile = await registry.collect()
        await undelete_digest(state, "op", young)
        pulled = await pull_blob(repository, young)
        go_on.set()
        await taking
        after = await registry.collect()

        assert (meanwhile.purged, after.purged) == (0, 1)
        assert pulled == b"young"


async def test_no_wait_for_the_writers_turn_keeps_an_undelete_waiting(
    gc_service: GcService, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository, state = gc_service.repository(), gc_service.service.state
    await repository.blobs.delete(await push_blob(repository, b"content"))
    locked: list[bool] = []
    real = SQLiteDatabase.write

    async def write(database: SQLiteDatabase, unit: Work[Any], **options: Any) -> Any:
        locked.append(state.trash_lock.locked())
        return await real(database, unit, **options)

    await gc_service.outlive_leases()
    monkeypatch.setattr(SQLiteDatabase, "write", write)

    assert (await gc_service.collect()).purged == 1
    assert not any(locked)
