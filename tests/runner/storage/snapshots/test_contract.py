"""The Snapshotter contract, on every implementation; overlays are mounted by the kernel."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from oci.digest import Digest
from runner.errors import BadRequest
from runner.linux.mounts import mount, unmount
from runner.storage.layers.contract import LayerUnknown
from runner.storage.layers.store import DirectoryLayerStore
from runner.storage.snapshots.changes import commit, usage
from runner.storage.snapshots.contract import SnapshotExists, Snapshotter, SnapshotUnknown
from runner.storage.snapshots.overlay import OverlaySnapshotter
from tests.support.runner.archives.tar_entries import archive, directory, entry
from tests.support.runner.plain_snapshotter import PlainSnapshotter

BASE = archive(directory(b"./"), directory(b"etc"), entry(b"etc/name", content=b"base"))
TOP = archive(directory(b"./"), directory(b"etc"), entry(b"etc/name", content=b"top"))


@pytest.fixture
def layers(tmp_path: Path) -> DirectoryLayerStore:
    return DirectoryLayerStore(tmp_path / "layers")


@pytest.fixture(params=[pytest.param("overlay", marks=pytest.mark.needs_root), "plain"])
def snapshots(
    request: pytest.FixtureRequest, tmp_path: Path, layers: DirectoryLayerStore
) -> Snapshotter:
    if request.param == "plain":
        return PlainSnapshotter(tmp_path / "snapshots", layers)
    return OverlaySnapshotter(tmp_path / "snapshots", layers)


async def unpacked(layers: DirectoryLayerStore, *archives: bytes) -> list[Digest]:
    diff_ids = []
    for content in archives:
        async with layers.writer(None, "none") as writer:
            await writer.write(content)
            diff_ids.append((await writer.commit()).diff_id)
    return diff_ids


@asynccontextmanager
async def mounted(snapshots: Snapshotter, key: str, tmp_path: Path) -> AsyncIterator[Path]:
    """A directory that shows the snapshot's mounts; one bind alone shows what it binds."""
    mounts = await snapshots.mounts(key)
    if mounts[0].options[0] == "bind":
        yield Path(mounts[0].source)
        return
    place = tmp_path / "mounted" / key
    place.mkdir(parents=True, exist_ok=True)
    for wanted in mounts:
        mount(wanted, place)
    try:
        yield place
    finally:
        unmount(place)


async def test_a_snapshot_shows_its_layers_the_last_on_top(
    snapshots: Snapshotter, layers: DirectoryLayerStore, tmp_path: Path
) -> None:
    await snapshots.prepare("c1", await unpacked(layers, BASE, TOP))

    async with mounted(snapshots, "c1", tmp_path) as place:
        assert (place / "etc" / "name").read_bytes() == b"top"


async def test_a_snapshot_of_nothing_is_empty(snapshots: Snapshotter, tmp_path: Path) -> None:
    await snapshots.prepare("c1", [])

    async with mounted(snapshots, "c1", tmp_path) as place:
        assert os.listdir(place) == []
        (place / "x").touch()


async def test_written_files_stay_for_the_next_mount(
    snapshots: Snapshotter, layers: DirectoryLayerStore, tmp_path: Path
) -> None:
    await snapshots.prepare("c1", await unpacked(layers, BASE))
    async with mounted(snapshots, "c1", tmp_path) as place:
        (place / "etc" / "name").write_bytes(b"changed")
        (place / "new").write_bytes(b"new")

    async with mounted(snapshots, "c1", tmp_path) as place:
        assert (place / "etc" / "name").read_bytes() == b"changed"
        assert (place / "new").read_bytes() == b"new"


async def test_two_snapshots_of_one_layer_do_not_see_each_other(
    snapshots: Snapshotter, layers: DirectoryLayerStore, tmp_path: Path
) -> None:
    diff_ids = await unpacked(layers, BASE)
    await snapshots.prepare("c1", diff_ids)
    await snapshots.prepare("c2", diff_ids)

    async with mounted(snapshots, "c1", tmp_path) as one:
        (one / "etc" / "name").write_bytes(b"changed")
        async with mounted(snapshots, "c2", tmp_path) as other:
            assert (other / "etc" / "name").read_bytes() == b"base"


@pytest.mark.parametrize("archives", [(), (BASE,), (BASE, TOP)], ids=["none", "one", "two"])
async def test_a_view_cannot_be_written_to(
    archives: tuple[bytes, ...], snapshots: Snapshotter, layers: DirectoryLayerStore, tmp_path: Path
) -> None:
    await snapshots.view("v1", await unpacked(layers, *archives))

    async with mounted(snapshots, "v1", tmp_path) as place:
        if isinstance(snapshots, OverlaySnapshotter):
            with pytest.raises(OSError, match="Read-only"):
                (place / "x").touch()
        assert os.listdir(place) == (["etc"] if archives else [])
    assert all("ro" in one.options for one in await snapshots.mounts("v1"))


async def test_the_root_has_the_attributes_of_the_topmost_layer_that_gives_them(
    snapshots: Snapshotter, layers: DirectoryLayerStore, tmp_path: Path
) -> None:
    # Only root may give things away.
    uid, gid = (7, 8) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    described = archive(entry(b"./", b"5", mode=0o751, uid=uid, gid=gid))
    silent = archive(entry(b"x"))
    diff_ids = await unpacked(layers, described, silent)
    await snapshots.prepare("c1", diff_ids)
    await snapshots.view("v1", diff_ids)

    for key in ("c1", "v1"):
        async with mounted(snapshots, key, tmp_path) as place:
            found = place.stat()
            assert (found.st_mode & 0o7777, found.st_uid, found.st_gid) == (0o751, uid, gid)


async def test_a_commit_becomes_a_layer(
    snapshots: Snapshotter, layers: DirectoryLayerStore, tmp_path: Path
) -> None:
    diff_ids = await unpacked(layers, BASE)
    await snapshots.prepare("c1", diff_ids)
    async with mounted(snapshots, "c1", tmp_path) as place:
        (place / "etc" / "name").unlink()
        (place / "new").write_bytes(b"new")

    diff_id = await commit(snapshots, layers, "c1")

    assert layers.has(diff_id)
    assert await snapshots.keys() == ()
    await snapshots.view("v1", [*diff_ids, diff_id])
    async with mounted(snapshots, "v1", tmp_path) as place:
        assert os.listdir(place / "etc") == []
        assert (place / "new").read_bytes() == b"new"


async def test_usage_counts_what_was_written_only(
    snapshots: Snapshotter, layers: DirectoryLayerStore, tmp_path: Path
) -> None:
    large = archive(directory(b"./"), entry(b"large", content=bytes(1 << 20)))
    await snapshots.prepare("c1", await unpacked(layers, large))
    before = await usage(snapshots, "c1")
    async with mounted(snapshots, "c1", tmp_path) as place:
        (place / "x").write_bytes(b"1" * 10_000)
        os.sync()

    after = await usage(snapshots, "c1")

    assert (before.bytes, before.inodes) == (0, 0)
    assert 10_000 <= after.bytes < 100_000
    assert after.inodes == 1


async def test_a_key_is_used_once(snapshots: Snapshotter) -> None:
    await snapshots.prepare("c1", [])

    with pytest.raises(SnapshotExists, match="c1"):
        await snapshots.prepare("c1", [])
    with pytest.raises(SnapshotExists, match="c1"):
        await snapshots.view("c1", [])


async def test_a_layer_that_is_not_there_is_named(snapshots: Snapshotter) -> None:
    unknown = Digest.of(b"unknown")

    with pytest.raises(LayerUnknown, match=str(unknown)):
        await snapshots.prepare("c1", [unknown])
    assert await snapshots.keys() == ()


async def test_an_unknown_snapshot_is_refused(
    snapshots: Snapshotter, layers: DirectoryLayerStore
) -> None:
    for ask in (snapshots.mounts, snapshots.parents, snapshots.changes):
        with pytest.raises(SnapshotUnknown, match="c1"):
            await ask("c1")
    with pytest.raises(SnapshotUnknown, match="c1"):
        await usage(snapshots, "c1")
    with pytest.raises(SnapshotUnknown, match="c1"):
        await commit(snapshots, layers, "c1")


@pytest.mark.parametrize("key", ["", ".", "..", "../c1", "a/b", ".aside", "a\0", "-x", "n" * 129])
async def test_a_key_is_a_name_and_not_a_path(key: str, snapshots: Snapshotter) -> None:
    with pytest.raises(BadRequest, match="invalid snapshot key"):
        await snapshots.prepare(key, [])


async def test_a_removed_snapshot_is_gone(snapshots: Snapshotter) -> None:
    await snapshots.prepare("c1", [])

    await snapshots.remove("c1")
    await snapshots.remove("c1")

    assert await snapshots.keys() == ()
    await snapshots.prepare("c1", [])


async def test_parents_are_remembered(snapshots: Snapshotter, layers: DirectoryLayerStore) -> None:
    diff_ids = await unpacked(layers, BASE, TOP)

    await snapshots.prepare("c1", diff_ids)

    assert await snapshots.parents("c1") == tuple(diff_ids)
    assert await snapshots.keys() == ("c1",)
