"""The files of a backup: all needed ones, complete or absent, and independent of the root."""

import asyncio
import errno
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from oci.reference import Tag
from registry.backup.backup import take_backup
from registry.errors import CommandRefused, StartupError
from registry.storage import backup_directory
from registry.storage.backup_directory import restore
from registry.storage.disk.root import Root
from registry.trash.undelete import undelete_digest
from tests.support.images import an_image
from tests.support.registry.integrity import findings, wrongs
from tests.support.registry.storage import (
    Service,
    a_service,
    body,
    pull_blob,
    push_blob,
    push_image,
)

KEPT, GONE = an_image(seed="kept"), an_image(seed="gone")


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with a_service(tmp_path / "root") as service:
        await push_image(service.repository(), KEPT, Tag("v1"))
        yield service


async def restored(source: Path, target: Path) -> Path:
    def fill() -> None:
        with Root.open(target) as root:
            restore(source, root)

    await asyncio.to_thread(fill)
    return target


def no_room(*_arguments: Any, **_options: Any) -> Any:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


async def into_the_trash(service: Service) -> None:
    """A manifest whose blobs no repository has any more, with their files."""
    await push_image(service.repository(), GONE, Tag("gone"))
    await service.repository().manifests.delete(GONE.digest)
    for digest in GONE.blobs:
        await service.repository().blobs.delete(digest)


@pytest.mark.parametrize("link", [True, False])
async def test_deleted_content_can_be_undeleted_from_a_backup(
    service: Service, tmp_path: Path, link: bool
) -> None:
    await into_the_trash(service)
    assert await service.rows("SELECT physical FROM trash") != []
    await take_backup(service.state, tmp_path / "backup", link=link)

    root = await restored(tmp_path / "backup", tmp_path / "new")

    async with a_service(root) as new:
        await undelete_digest(new.state, "op", GONE.digest)
        for digest, content in GONE.blobs.items():
            assert await pull_blob(new.repository(), digest) == content
        assert await wrongs(new) == []


async def test_nothing_of_a_restored_root_is_the_backups(service: Service, tmp_path: Path) -> None:
    """A backup of links shares its files with the root; what is restored shares them with none."""
    await take_backup(service.state, tmp_path / "backup", link=True)

    root = await restored(tmp_path / "backup", tmp_path / "new")

    files = [path for path in root.rglob("*") if path.is_file()]
    assert len(files) > len(KEPT.blobs)
    assert {path.stat().st_nlink for path in files} == {1}


async def test_a_session_has_no_place_in_a_backup(service: Service, tmp_path: Path) -> None:
    session = await service.repository().uploads.start()
    await service.repository().uploads.append(session.id, body(b"half"), start=0, length=None)
    await take_backup(service.state, tmp_path / "backup")

    root = await restored(tmp_path / "backup", tmp_path / "new")

    async with a_service(root) as new:
        assert await findings(new, deep=True) == []


async def test_a_copy_that_was_cut_short_is_not_taken_for_the_file(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(backup_directory, "finish_file", no_room)
        with pytest.raises(CommandRefused, match="No space"):
            await take_backup(service.state, tmp_path / "backup", link=False)

    await take_backup(service.state, tmp_path / "backup", link=False)

    async with a_service(await restored(tmp_path / "backup", tmp_path / "new")) as new:
        assert await wrongs(new) == []


async def test_a_failed_backup_leaves_the_previous_one_valid(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await take_backup(service.state, tmp_path / "backup", link=False)
    await push_blob(service.repository(), b"new")
    await service.repository().manifests.delete(KEPT.digest)
    monkeypatch.setattr(backup_directory, "begin_file", no_room)
    with pytest.raises(CommandRefused, match="No space"):
        await take_backup(service.state, tmp_path / "backup", link=False)
    monkeypatch.undo()

    root = await restored(tmp_path / "backup", tmp_path / "new")

    async with a_service(root) as new:
        assert (await new.repository().manifests.pull(Tag("v1"))).content == KEPT.manifest
        assert await wrongs(new) == []


@pytest.mark.parametrize("link", [True, False])
async def test_a_file_that_is_missing_does_not_stop_a_backup_and_is_found_in_it(
    service: Service, tmp_path: Path, link: bool
) -> None:
    digest = await push_blob(service.repository(), b"missing")
    ((physical,),) = await service.rows(
        "SELECT physical FROM blobs WHERE digest = :digest", digest=str(digest)
    )
    (service.root / "blobs" / physical[:2] / physical).unlink()
    await take_backup(service.state, tmp_path / "backup", link=link)

    root = await restored(tmp_path / "backup", tmp_path / "new")

    async with a_service(root) as new:
        (finding,) = await findings(new)
    assert (finding.what, finding.found) == (f"blob {digest}", "no file")


async def test_a_root_with_a_registry_is_not_restored_into(
    service: Service, tmp_path: Path
) -> None:
    await take_backup(service.state, tmp_path / "backup")
    await restored(tmp_path / "backup", tmp_path / "new")
    before = (tmp_path / "new" / "registry.db").stat()

    with pytest.raises(StartupError, match="restore into a"):
        await restored(tmp_path / "backup", tmp_path / "new")

    assert (tmp_path / "new" / "registry.db").stat().st_ino == before.st_ino


async def test_a_fifo_in_an_empty_blobs_place_holds_no_backup_up(
    service: Service, tmp_path: Path
) -> None:
    digest = await push_blob(service.repository(), b"")
    [file] = service.root.glob(f"blobs/*/{digest.encoded}-*")
    file.unlink()
    os.mkfifo(file)

    taken = await take_backup(service.state, tmp_path / "backup", link=False)

    assert [(lost.file.digest, lost.found) for lost in taken.lost] == [(str(digest), None)]
