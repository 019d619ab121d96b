"""A backup of a registry in use, restored elsewhere, has everything acknowledged before."""

import asyncio
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import alembic.command
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Connection, text

from oci.digest import Digest
from oci.reference import Tag
from registry.backup.backup import lost_file_finding, take_backup
from registry.cli.entry import main
from registry.errors import CommandRefused, StartupError
from registry.integrity.findings import INVARIANTS
from registry.storage import backup_directory as storage_backup
from registry.storage.backup_directory import LABEL, Backup, Label, restore
from registry.storage.database import schema
from registry.storage.database.sqlite import sqlite_engine
from registry.storage.disk.root import Root
from tests.support import http
from tests.support.images import Image, an_image
from tests.support.processes import registry_server
from tests.support.registry.integrity import wrongs
from tests.support.registry.storage import Service, a_service, pull_blob, push_blob, push_image


async def back_up(service: Service, target: Path, *, link: bool = True) -> int:
    """Take it; how many files were new."""
    return (await take_backup(service.state, target, link=link))[1]


def restored_to(backup: Path, root: Path) -> Path:
    with Root.open(root) as opened:
        restore(backup, opened)
    return root


async def serves(service: Service, image: Image, tag: Tag) -> bool:
    repository = service.repository()
    assert (await repository.manifests.pull(tag)).content == image.manifest
    blobs = [await pull_blob(repository, digest) == blob for digest, blob in image.blobs.items()]
    return all(blobs)


@pytest.mark.parametrize("link", [True, False])
async def test_a_restored_backup_serves_its_content(
    service: Service, tmp_path: Path, link: bool
) -> None:
    image = an_image(layers=2)
    await push_image(service.repository(), image, Tag("v1"))

    await back_up(service, tmp_path / "backup", link=link)
    root = restored_to(tmp_path / "backup", tmp_path / "restored")

    async with a_service(root) as restored:
        assert await serves(restored, image, Tag("v1"))
        assert await wrongs(restored) == []
        await push_image(restored.repository(), an_image(seed="more"), Tag("v2"))


async def test_a_backup_under_load_has_everything_that_was_acknowledged_before(
    service: Service, tmp_path: Path
) -> None:
    acknowledged: dict[str, Image] = {}
    is_over = False

    async def push(number: int) -> None:
        repository, turn = service.repository(), 0
        while not is_over:
            turn += 1
            image = an_image(seed=f"{number}-{turn}")
            await push_image(repository, image, Tag(f"t{number}-{turn}"))
            acknowledged[f"t{number}-{turn}"] = image
            if turn % 3 == 0:
                gone = acknowledged.pop(f"t{number}-{turn}")
                await repository.manifests.delete(gone.digest)

    work = [asyncio.create_task(push(number)) for number in range(4)]
    for turn in range(3):
        for _ in range(6000):
            if len(acknowledged) >= 8 * (turn + 1):
                break
            await asyncio.sleep(0.01)
        before = dict(acknowledged)
        await back_up(service, tmp_path / "backup")
        root = restored_to(tmp_path / "backup", tmp_path / f"restored{turn}")
        async with a_service(root) as restored:
            assert await wrongs(restored) == []
            for tag, image in before.items():
                if tag in acknowledged:
                    assert await serves(restored, image, Tag(tag))
    is_over = True
    await asyncio.gather(*work)


async def test_a_second_backup_copies_new_files_and_deletes_unneeded_ones(
    service: Service, tmp_path: Path
) -> None:
    repository = service.repository()
    old, kept = await push_blob(repository, b"old"), await push_blob(repository, b"kept")
    assert await back_up(service, tmp_path / "backup", link=False) == 2
    new = await push_blob(repository, b"new")

    def purge(connection: Connection) -> None:
        for statement in (
            "DELETE FROM repo_blobs WHERE digest = :d",
            "DELETE FROM blobs WHERE digest = :d",
        ):
            connection.execute(text(statement), {"d": str(old)})

    await service.database.write(purge)

    assert await back_up(service, tmp_path / "backup", link=False) == 1

    names = [path.name for path in (tmp_path / "backup" / "blobs").glob("*/*")]
    assert sorted(name[:64] for name in names) == sorted([kept.encoded, new.encoded])


async def test_a_backup_waits_for_a_purge_to_end(service: Service, tmp_path: Path) -> None:
    held = service.state
    await push_blob(service.repository(), b"content")
    async with held.trash_lock:
        backup = asyncio.create_task(take_backup(held, tmp_path / "backup"))
        done, _ = await asyncio.wait([backup], timeout=0.1)
        assert not done
    await backup


async def test_a_backup_that_was_cut_short_is_none(service: Service, tmp_path: Path) -> None:
    await push_blob(service.repository(), b"content")
    await back_up(service, tmp_path / "backup")
    (tmp_path / "backup" / LABEL).unlink()

    with pytest.raises(StartupError, match="no complete backup"):
        restored_to(tmp_path / "backup", tmp_path / "restored")


async def test_a_directory_with_other_things_is_refused(service: Service, tmp_path: Path) -> None:
    (tmp_path / "backup").mkdir()
    (tmp_path / "backup" / "letters").write_bytes(b"")

    with pytest.raises(CommandRefused, match="letters"):
        await back_up(service, tmp_path / "backup")

    assert os.listdir(tmp_path / "backup") == ["letters"]


def command(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_the_commands_on_a_registry_that_runs(tmp_path: Path) -> None:

    content = b"content of a blob"
    digest = Digest.of(content)
    with registry_server(tmp_path / "root") as server:
        url = f"{server.url}/v2/team/app/blobs/uploads/?digest={digest}"
        assert http.post(url, content=content).status_code == 201
        taken = command("backup", "--root", tmp_path / "root", tmp_path / "backup")
        inside = command("backup", "--root", tmp_path / "root", tmp_path / "root" / "b")
    assert taken.output.startswith("1 files of 17 bytes are in")
    assert (inside.exit_code, "outside" in inside.output) == (1, True)

    restored = command("restore", tmp_path / "backup", "--root", tmp_path / "new")
    again = command("restore", tmp_path / "backup", "--root", tmp_path / "new")

    assert (restored.exit_code, restored.output) == (
        0,
        f"restored 1 files into {tmp_path / 'new'}, 0 wrong\n",
    )
    assert (again.exit_code, "is not empty" in again.output) == (1, True)
    with registry_server(tmp_path / "new") as server:
        assert http.get(f"{server.url}/v2/team/app/blobs/{digest}").content == content


def test_a_backup_of_an_older_program_is_restored_with_todays_schema(tmp_path: Path) -> None:
    backup, config = Backup(tmp_path / "backup"), schema.alembic_config()
    backup.prepare()
    engine = sqlite_engine(backup.new_database)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        alembic.command.upgrade(config, "0001")
    engine.dispose()
    backup.finish(Label(1, 0, 0), ())

    restored = command("restore", tmp_path / "backup", "--root", tmp_path / "new")

    assert (restored.exit_code, restored.output.endswith("0 wrong\n")) == (0, True)
    assert command("fsck", "--root", tmp_path / "new").exit_code == 0


def test_a_backup_that_rotted_is_found_when_it_is_restored(tmp_path: Path) -> None:
    async def make() -> None:
        async with a_service(tmp_path / "root") as service:
            await push_image(service.repository(), an_image(), Tag("v1"))
            await back_up(service, tmp_path / "backup", link=False)

    asyncio.run(make())
    victim = next(path for path in (tmp_path / "backup" / "blobs").glob("*/*"))
    victim.chmod(0o600)
    victim.write_bytes(bytes(victim.stat().st_size))

    restored = command("restore", tmp_path / "backup", "--root", tmp_path / "new")

    assert restored.exit_code == 1
    assert f"I2 ({INVARIANTS['I2']}) blob sha256:{victim.name[:64]}" in restored.output
    assert "affects team/app:v1" in restored.output


@pytest.fixture
def stopped(tmp_path: Path) -> Path:
    """The root of a registry that is stopped, with one image, and as many files as it has blobs."""

    async def make() -> None:
        async with a_service(tmp_path / "root") as service:
            await push_image(service.repository(), an_image(layers=2), Tag("v1"))

    asyncio.run(make())
    return tmp_path / "root"


def files_of(directory: Path) -> dict[str, int]:
    """The name and the size of every blob's file in a root or a backup."""
    return {path.name: path.stat().st_size for path in (directory / "blobs").glob("*/*")}


def cut(path: Path) -> None:
    """A file of another inode with all but the last byte."""
    content = path.read_bytes()[:-1]
    path.unlink()
    path.write_bytes(content)


@pytest.mark.parametrize("options", [(), ("--copy",)])
@pytest.mark.parametrize(("damage", "found"), [(Path.unlink, "no file"), (cut, "a file of ")])
def test_a_backup_names_lost_files_and_has_the_rest(
    stopped: Path,
    tmp_path: Path,
    damage: Callable[[Path], None],
    found: str,
    options: tuple[str, ...],
) -> None:
    whole = files_of(stopped)
    lost = min(whole)
    damage(stopped / "blobs" / lost[:2] / lost)

    taken = command("backup", *options, "--root", stopped, tmp_path / "backup")

    assert taken.exit_code == 1
    assert f"I1 ({INVARIANTS['I1']}) blob sha256:{lost[:64]}: found {found}" in taken.output
    assert f"expected {whole[lost]} bytes" in taken.output
    assert "affects team/app:v1" in taken.output
    kept = {name: size for name, size in whole.items() if name != lost}
    assert f"\n{len(kept)} files of {sum(kept.values())} bytes are in" in taken.output
    assert "`registry fsck --repair` marks" in taken.output
    assert files_of(tmp_path / "backup") == kept


def test_files_of_the_previous_backup_are_kept_when_the_registry_loses_them(
    stopped: Path, tmp_path: Path
) -> None:
    whole = files_of(stopped)
    lost = min(whole)
    command("backup", "--copy", "--root", stopped, tmp_path / "backup")
    (stopped / "blobs" / lost[:2] / lost).unlink()

    taken = command("backup", "--copy", "--root", stopped, tmp_path / "backup")

    assert (taken.exit_code, "-> the backup has it" in taken.output) == (1, True)
    assert f"\n{len(whole)} files of" in taken.output
    assert files_of(tmp_path / "backup") == whole


@pytest.mark.parametrize("options", [(), ("--copy",)])
def test_a_file_of_another_size_in_the_backup_is_taken_again(
    stopped: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    whole = files_of(stopped)
    command("backup", *options, "--root", stopped, tmp_path / "backup")
    cut(next((tmp_path / "backup" / "blobs").glob("*/*")))

    taken = command("backup", *options, "--root", stopped, tmp_path / "backup")

    assert (taken.exit_code, taken.output.endswith(", 1 new\n")) == (0, True)
    assert files_of(tmp_path / "backup") == whole


async def test_a_missing_file_of_the_trash_is_reported_and_is_no_failure(
    service: Service, tmp_path: Path
) -> None:
    repository = service.repository()
    digest = await push_blob(repository, b"deleted")
    await repository.blobs.delete(digest)
    ((physical,),) = await service.rows("SELECT physical FROM trash")
    (service.root / "blobs" / physical[:2] / physical).unlink()

    taken = await take_backup(service.state, tmp_path / "backup")

    rows = service.state.database.operator
    (finding,) = [await lost_file_finding(rows, lost) for lost in taken.lost]
    assert (finding.what, finding.found, finding.harmless) == (f"trash {digest}", "no file", True)
    assert taken.label.blobs == 0


def test_a_refused_restore_leaves_the_new_root_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "no backup").mkdir()

    refused = command("restore", tmp_path / "no backup", "--root", tmp_path / "new")

    assert (refused.exit_code, "no complete backup" in refused.output) == (1, True)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(("file", "what"), [(LABEL, "{"), (LABEL, "{}"), ("registry.db", "rows")])
def test_a_backup_that_cannot_be_read_is_one_line(tmp_path: Path, file: str, what: str) -> None:
    backup = Backup(tmp_path / "backup")
    backup.prepare()
    backup.new_database.touch()
    backup.finish(Label(1, 0, 0), ())
    (tmp_path / "backup" / file).write_text(what)

    refused = command("restore", tmp_path / "backup", "--root", tmp_path / "new")

    assert refused.exit_code == 1
    assert refused.output.startswith(f"Error: {tmp_path / 'backup' / file} is corrupt: ")
    assert len(refused.output.splitlines()) == 1


async def test_an_interrupted_restore_continues(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = an_image(layers=2)
    await push_image(service.repository(), image, Tag("v1"))
    await back_up(service, tmp_path / "backup")
    with monkeypatch.context() as patch:
        patch.setattr(storage_backup, "copy_durably", cut_short_after(2))
        with pytest.raises(KeyboardInterrupt):
            restored_to(tmp_path / "backup", tmp_path / "new")

    root = restored_to(tmp_path / "backup", tmp_path / "new")

    async with a_service(root) as again:
        assert await serves(again, image, Tag("v1"))


def cut_short_after(count: int) -> Callable[[Path, Path], None]:
    """Copies so many files, and is interrupted within the next."""
    left, whole = [count], storage_backup.copy_durably

    def copy_durably(source: Path, target: Path) -> None:
        if left[0] == 0:
            target.write_bytes(source.read_bytes()[:1])
            raise KeyboardInterrupt
        left[0] -= 1
        whole(source, target)

    return copy_durably


async def test_a_cancelled_backup_ends_before_a_file_is_purged(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await push_image(service.repository(), an_image(layers=3), Tag("v1"))
    held, go = threading.Event(), threading.Event()
    copied: list[str] = []

    def finish_file(_new: BinaryIO, target: Path) -> None:
        held.set()
        go.wait()
        copied.append(target.name)

    monkeypatch.setattr(storage_backup, "finish_file", finish_file)
    sharing = service.state
    taking = asyncio.create_task(take_backup(sharing, tmp_path / "backup", link=False))
    await asyncio.to_thread(held.wait)

    taking.cancel()
    await asyncio.sleep(0)
    waits = sharing.backups.are_running
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await taking

    assert waits
    assert (len(copied), sharing.backups.are_running) == (1, False)
    assert Backup(tmp_path / "backup").label() is None
