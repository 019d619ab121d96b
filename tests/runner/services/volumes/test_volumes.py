import asyncio
import errno
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from runner.errors import BadRequest, Conflict, NoSuchVolume
from runner.services.events import Events
from runner.services.volumes.copy_up import copy_tree
from runner.services.volumes.volumes import Volumes
from runner.storage.files.deletion import remove
from runner.storage.records.sqlite import Records


@dataclass(frozen=True)
class AMount:
    volume: str


@dataclass(frozen=True)
class AUser:
    id: str
    mounts: list[AMount] = field(default_factory=list)


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    records = Records(tmp_path / "records.db")
    yield records
    records.close()


@pytest.fixture
def users() -> list[AUser]:
    return []


@pytest.fixture
def volumes(tmp_path: Path, records: Records, users: list[AUser]) -> Volumes:
    return Volumes(tmp_path / "volumes", records, Events(), lambda: users)


async def test_a_volume_is_a_directory_with_a_record(volumes: Volumes, tmp_path: Path) -> None:
    volume = await volumes.create("store", {"team": "a"})

    assert volume.mountpoint == tmp_path / "volumes" / "store" / "_data"
    assert volume.mountpoint.is_dir()
    assert volumes.find("store") == volume
    assert volumes.list() == (volume,)


async def test_of_one_name_there_is_one_volume(volumes: Volumes) -> None:
    first = await volumes.create("store", {"team": "a"})
    (first.mountpoint / "file").write_text("kept")

    second = await volumes.create("store", {"team": "b"})

    assert second == first
    assert (second.mountpoint / "file").read_text() == "kept"


async def test_without_a_name_a_volume_is_anonymous(volumes: Volumes) -> None:
    first, second = await volumes.create(), await volumes.create()

    assert first.name != second.name
    assert len(first.name) == 64
    assert first.anonymous


@pytest.mark.parametrize("name", ["a", "../x", "a/b", ".hidden", "a b"])
async def test_a_name_that_is_no_name_is_refused(volumes: Volumes, name: str) -> None:
    with pytest.raises(BadRequest, match="invalid volume name"):
        await volumes.create(name)


async def test_a_volume_in_use_is_not_removed(volumes: Volumes, users: list[AUser]) -> None:
    volume = await volumes.create("store")
    users += [AUser("c1", [AMount("store")]), AUser("c2", [AMount("other")])]

    with pytest.raises(Conflict, match=r"remove store: volume is in use - \[c1\]"):
        await volumes.remove("store", force=True)

    assert volume.mountpoint.exists()


async def test_a_volume_about_to_be_used_is_not_removed(volumes: Volumes) -> None:
    await volumes.create("store")

    with volumes.hold(["store"]), pytest.raises(Conflict, match="in use"):
        await volumes.remove("store")

    await volumes.remove("store")
    with pytest.raises(NoSuchVolume, match="no such volume"):
        volumes.find("store")


async def test_removing_what_is_not_there_is_refused_unless_forced(volumes: Volumes) -> None:
    with pytest.raises(NoSuchVolume):
        await volumes.remove("store")

    await volumes.remove("store", force=True)


async def test_prune_takes_the_anonymous_ones_that_nobody_uses(
    volumes: Volumes, users: list[AUser]
) -> None:
    named, used, unused = (
        await volumes.create("store"),
        await volumes.create(),
        await volumes.create(),
    )
    (unused.mountpoint / "file").write_bytes(b"x" * 10_000)
    users.append(AUser("c1", [AMount(used.name)]))

    removed, size = await volumes.prune()
    everything, _ = await volumes.prune(everything=True)

    assert removed == (unused.name,)
    assert size >= 10_000
    assert everything == (named.name,)
    assert volumes.list() == (used,)


async def test_a_filled_volume_has_all_of_it_and_a_full_one_is_left_alone(
    volumes: Volumes, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.mkdir(mode=0o750)
    (source / "file").write_text("first")
    volume = await volumes.create("store")

    await volumes.fill("store", source)
    (source / "later").write_text("second")
    await volumes.fill("store", source)

    assert [path.name for path in volume.mountpoint.iterdir()] == ["file"]
    assert volume.mountpoint.stat().st_mode & 0o777 == 0o750


async def test_half_done_changes_are_cleared_away_and_files_without_a_record_are_kept(
    volumes: Volumes, records: Records, tmp_path: Path
) -> None:
    volume = await volumes.create("store")
    half = volume.mountpoint.parent / ".copying"
    half.mkdir()
    (half / "file").write_text("half")
    root = tmp_path / "volumes"
    for name in ("empty", "precious", ".gone-removed"):
        (root / name / "_data").mkdir(parents=True)
    for name in ("precious", ".gone-removed"):
        (root / name / "_data" / "file").write_text("x")

    await Volumes(tmp_path / "volumes", records, Events()).recover()

    assert not half.exists()
    assert volume.mountpoint.exists()
    assert sorted(path.name for path in root.iterdir()) == ["precious", "store"]
    assert (root / "precious" / "_data" / "file").read_text() == "x"


async def test_a_volume_that_cannot_be_finished_does_not_keep_the_others_from_it(
    volumes: Volumes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "volumes"
    removable = await volumes.create(keep=False)
    for name in (".gone-a", ".gone-b", ".gone-c"):
        (root / name).mkdir()

    def refuse_one(path: Path) -> None:
        if path.name in (".gone-b", f".gone-{removable.name}"):
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), str(path))
        remove(path)

    monkeypatch.setattr("runner.services.volumes.volumes.remove", refuse_one)
    with capture_logs() as logs:
        await volumes.recover()

    assert set(os.listdir(root)) == {".gone-b", f".gone-{removable.name}"}
    assert {(each["volume"], each["event"]) for each in logs} == {
        (name, "volume not recovered") for name in (".gone-b", removable.name)
    }
    assert "Operation not permitted" in logs[0]["error"]


async def test_a_volume_made_while_one_of_its_name_is_removed_has_its_directory(
    volumes: Volumes,
) -> None:
    await volumes.create("store")

    for _ in range(20):
        _, made = await asyncio.gather(volumes.remove("store"), volumes.create("store"))

        assert volumes.find("store") == made
        assert made.mountpoint.is_dir()


async def test_of_fills_at_the_same_time_one_copies_and_all_succeed(
    volumes: Volumes, tmp_path: Path
) -> None:
    source = tmp_path / "image"
    source.mkdir()
    for number in range(40):
        (source / f"f{number}").write_bytes(b"x" * 2000)

    for number in range(10):
        volume = await volumes.create(f"store{number}")
        with volumes.hold([volume.name]):
            await asyncio.gather(*(volumes.fill(volume.name, source) for _ in range(3)))

        assert len(os.listdir(volume.mountpoint)) == 40
        assert os.listdir(volume.mountpoint.parent) == ["_data"]


async def test_a_volume_that_got_a_user_while_another_fill_copied_is_not_filled(
    volumes: Volumes, users: list[AUser], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty, full = tmp_path / "empty", tmp_path / "full"
    for directory in (empty, full):
        directory.mkdir()
    (full / "file").touch()
    volume = await volumes.create("store")
    loop, copying, go_on = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def copy(source: Path, target: Path) -> None:
        if source == empty:
            loop.call_soon_threadsafe(copying.set)
            go_on.wait()
        copy_tree(source, target)

    monkeypatch.setattr("runner.services.volumes.volumes.copy_tree", copy)
    first = asyncio.create_task(volumes.fill("store", empty))
    await copying.wait()
    second = asyncio.create_task(volumes.fill("store", full))
    await asyncio.sleep(0)
    users.append(AUser("c1", [AMount("store")]))
    go_on.set()
    await asyncio.gather(first, second)

    assert os.listdir(volume.mountpoint) == []
