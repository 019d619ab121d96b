"""The layer store: unpacked by a child process, published whole or not at all."""

import asyncio
import errno
import gzip
import os
import sys
from pathlib import Path

import pytest

from oci.digest import Digest
from oci.layer import InvalidLayer
from runner.storage.files.durable import sync_filesystem, write_atomically
from runner.storage.layers import store
from runner.storage.layers.contract import Layer, LayerUnknown, UnpackFailed
from runner.storage.layers.store import DirectoryLayerStore
from runner.storage.layers.unpack import Limits
from tests.support.runner.archives.tar_entries import archive, directory, entry, hard_link
from tests.support.runner.layer_reboots import reboot

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LAYER = archive(directory(b"bin"), entry(b"bin/sh", content=b"#!" * 100_000), entry(b"x/y"))
DIFF_ID = Digest.of(LAYER)

COMPRESSED = {
    "none": LAYER,
    "gzip": gzip.compress(LAYER),
    "zstd": zstd.compress(LAYER),
}


@pytest.fixture
def layers(tmp_path: Path) -> DirectoryLayerStore:
    return DirectoryLayerStore(tmp_path / "layers")


async def write(
    layers: DirectoryLayerStore,
    blob: bytes,
    *,
    diff_id: Digest | None = DIFF_ID,
    compression: str = "none",
    chunk_bytes: int = 65_536,
) -> Layer:
    async with layers.writer(diff_id, compression) as writer:
        for at in range(0, len(blob), chunk_bytes):
            await writer.write(blob[at : at + chunk_bytes])
        return await writer.commit()


def ingesting(layers: DirectoryLayerStore, tmp_path: Path) -> list[str]:
    return os.listdir(tmp_path / "layers" / "ingest")


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
async def test_several_compressed_pieces_are_one_layer(
    compression: str, layers: DirectoryLayerStore
) -> None:
    compress = gzip.compress if compression == "gzip" else zstd.compress
    blob = b"".join(compress(LAYER[at : at + 50_000]) for at in range(0, len(LAYER), 50_000))

    layer = await write(layers, blob, compression=compression)

    assert layer.diff_id == DIFF_ID


async def test_zeros_after_gzip_are_padding(layers: DirectoryLayerStore) -> None:
    layer = await write(layers, COMPRESSED["gzip"] + bytes(10_000), compression="gzip")

    assert layer.diff_id == DIFF_ID


async def test_bytes_after_the_archive_belong_to_the_diff_id(layers: DirectoryLayerStore) -> None:
    longer = LAYER + bytes(20 * 512)

    layer = await write(layers, longer, diff_id=None)

    assert layer.diff_id == Digest.of(longer)


async def test_a_zstd_frame_to_be_skipped_may_come_first(layers: DirectoryLayerStore) -> None:
    skipped = b"\x50\x2a\x4d\x18" + (4).to_bytes(4, "little") + b"note"

    layer = await write(layers, skipped + COMPRESSED["zstd"], compression="none")

    assert layers.has(layer.diff_id)


async def test_a_refusal_reaches_whoever_still_writes(
    layers: DirectoryLayerStore, tmp_path: Path
) -> None:
    """The archive is wrong at its start, and much follows."""
    blob = entry(b"../x") + bytes(32 << 20)

    with pytest.raises(InvalidLayer, match="climbs"):
        await write(layers, blob)

    assert ingesting(layers, tmp_path) == []


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
async def test_a_bomb_is_refused(compression: str, tmp_path: Path) -> None:
    layers = DirectoryLayerStore(
        tmp_path / "layers", limits=Limits(ratio=50, ratio_from_bytes=1 << 20)
    )
    bomb = archive(entry(b"x", content=bytes(64 << 20)))
    compress = gzip.compress if compression == "gzip" else zstd.compress

    with pytest.raises(InvalidLayer, match="more than 50 times"):
        await write(layers, compress(bomb), diff_id=None, compression=compression)

    assert ingesting(layers, tmp_path) == []


async def test_limits_reach_the_child(tmp_path: Path) -> None:
    layers = DirectoryLayerStore(tmp_path / "layers", limits=Limits(members=2))

    with pytest.raises(
        InvalidLayer, match=r"layer has 3 entries of .* or more, at most 2 of .* are unpacked"
    ):
        await write(layers, LAYER)


async def test_two_writers_of_one_layer_do_not_disturb_each_other(
    layers: DirectoryLayerStore, tmp_path: Path
) -> None:
    async with layers.writer(DIFF_ID, "none") as one, layers.writer(DIFF_ID, "none") as other:
        await one.write(LAYER)
        await other.write(LAYER)
        assert await one.commit() == await other.commit()

    assert layers.has(DIFF_ID)
    assert ingesting(layers, tmp_path) == []


async def test_a_child_that_is_killed_is_told(layers: DirectoryLayerStore, tmp_path: Path) -> None:
    async with layers.writer(DIFF_ID, "none") as writer:
        await writer.write(LAYER[:1000])
        assert writer.process_id is not None
        os.kill(writer.process_id, 9)
        with pytest.raises(UnpackFailed, match="ended with code -9"):
            await writer.commit()

    assert ingesting(layers, tmp_path) == []


async def test_directories_that_the_layers_beneath_complete_are_remembered(tmp_path: Path) -> None:
    blob = archive(hard_link(b"a/b", b"c"), entry(b"\xff/x"), entry(b".wh..wh..opq"))
    written = await write(DirectoryLayerStore(tmp_path), blob, diff_id=None)

    read = DirectoryLayerStore(tmp_path).layer(written.diff_id)

    assert read == written
    assert read.links == (("a/b", "c"),)
    assert read.implicit == ("", "a", os.fsdecode(b"\xff"))
    assert read.opaque_root


async def test_a_removed_layer_is_gone(layers: DirectoryLayerStore, tmp_path: Path) -> None:
    await write(layers, LAYER)

    await layers.remove(DIFF_ID)
    await layers.remove(DIFF_ID)

    assert not layers.has(DIFF_ID)
    layers.deletions.wait()
    assert ingesting(layers, tmp_path) == []
    with pytest.raises(LayerUnknown, match=str(DIFF_ID)):
        await layers.directory(DIFF_ID)


async def test_a_killed_daemon_leaves_its_layers_to_the_next(tmp_path: Path) -> None:
    await write(DirectoryLayerStore(tmp_path), LAYER)
    (tmp_path / "ingest" / "half" / "diff").mkdir(parents=True)

    layers = DirectoryLayerStore(tmp_path)
    dropped = await layers.recover()

    assert dropped == ()
    assert layers.has(DIFF_ID)
    layers.deletions.wait()
    assert os.listdir(tmp_path / "ingest") == []


async def test_after_a_power_cut_what_was_not_settled_is_dropped(tmp_path: Path) -> None:
    first = DirectoryLayerStore(tmp_path)
    await write(first, LAYER)
    await first.sync()
    other = (await write(first, archive(entry(b"other")), diff_id=None)).diff_id
    reboot(tmp_path)

    second = DirectoryLayerStore(tmp_path)
    dropped = await second.recover()

    assert dropped == (other,)
    assert second.has(DIFF_ID)
    assert not second.has(other)


@pytest.mark.parametrize("torn", [b"", b"{", b"{}", b"[]"])
async def test_a_layer_whose_description_was_torn_is_dropped(torn: bytes, tmp_path: Path) -> None:
    await write(DirectoryLayerStore(tmp_path), LAYER)
    _description(tmp_path).write_bytes(torn)

    second = DirectoryLayerStore(tmp_path)
    dropped = await second.recover()

    assert dropped == (DIFF_ID,)
    assert not second.has(DIFF_ID)


async def test_the_next_daemon_settles_what_the_first_did_not(tmp_path: Path) -> None:
    await write(DirectoryLayerStore(tmp_path), LAYER)
    second = DirectoryLayerStore(tmp_path)
    await second.recover()

    await second.sync()

    reboot(tmp_path)
    third = DirectoryLayerStore(tmp_path)
    assert await third.recover() == ()
    assert third.has(DIFF_ID)


def _description(root: Path) -> Path:
    return root / "sha256" / DIFF_ID.encoded / "layer.json"


async def test_a_sync_that_failed_is_made_up_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layers = DirectoryLayerStore(tmp_path)
    for name in (b"a", b"b", b"c"):
        await write(layers, archive(entry(name)), diff_id=None)
    with monkeypatch.context() as patch:
        patch.setattr(store, "sync_filesystem", _fail)
        with pytest.raises(OSError, match="Input/output error"):
            await layers.sync()

    remained = layers.unsynced
    await layers.sync()

    assert (remained, layers.unsynced) == (True, False)
    assert await _dropped_after_a_power_cut(tmp_path) == ()


async def test_a_sync_that_recorded_some_layers_leaves_the_others_to_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layers = DirectoryLayerStore(tmp_path)
    for name in (b"a", b"b", b"c"):
        await write(layers, archive(entry(name)), diff_id=None)
    recorded: list[Path] = []

    def fail_after_one(place: Path, content: bytes) -> None:
        if recorded:
            _fail(place)
        recorded.append(place)
        write_atomically(place, content)

    with monkeypatch.context() as patch:
        patch.setattr(store, "write_atomically", fail_after_one)
        with pytest.raises(OSError, match="Input/output error"):
            await layers.sync()

    await layers.sync()

    assert not layers.unsynced
    assert await _dropped_after_a_power_cut(tmp_path) == ()


async def test_a_layer_published_during_a_sync_waits_for_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layers = DirectoryLayerStore(tmp_path)
    first = await write(layers, LAYER)
    late = archive(entry(b"late"))
    loop = asyncio.get_running_loop()

    def sync_while_another_comes(path: Path) -> None:
        sync_filesystem(path)
        writing = write(layers, late, diff_id=None)
        asyncio.run_coroutine_threadsafe(writing, loop).result()

    with monkeypatch.context() as patch:
        patch.setattr(store, "sync_filesystem", sync_while_another_comes)
        await layers.sync()

    assert layers.unsynced
    dropped = await _dropped_after_a_power_cut(tmp_path)
    assert dropped == (Digest.of(late),)
    assert first.diff_id not in dropped


async def test_a_layer_unpacked_again_during_a_sync_is_not_taken_for_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layers = DirectoryLayerStore(tmp_path)
    await write(layers, LAYER)
    loop = asyncio.get_running_loop()

    async def replace() -> None:
        await layers.remove(DIFF_ID)
        await write(layers, LAYER)

    def sync_then_replace(path: Path) -> None:
        sync_filesystem(path)
        asyncio.run_coroutine_threadsafe(replace(), loop).result()

    with monkeypatch.context() as patch:
        patch.setattr(store, "sync_filesystem", sync_then_replace)
        await layers.sync()

    assert layers.unsynced
    assert await _dropped_after_a_power_cut(tmp_path) == (DIFF_ID,)


async def test_a_layer_removed_during_a_sync_does_not_end_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layers = DirectoryLayerStore(tmp_path)
    await write(layers, LAYER)
    other = await write(layers, archive(entry(b"other")), diff_id=None)
    loop = asyncio.get_running_loop()

    def sync_then_remove(path: Path) -> None:
        sync_filesystem(path)
        asyncio.run_coroutine_threadsafe(layers.remove(DIFF_ID), loop).result()

    monkeypatch.setattr(store, "sync_filesystem", sync_then_remove)
    await layers.sync()

    assert not layers.unsynced
    assert not layers.has(DIFF_ID)
    assert layers.has(other.diff_id)
    assert await _dropped_after_a_power_cut(tmp_path) == ()


def _fail(path: Path) -> None:
    raise OSError(errno.EIO, "Input/output error", str(path))


async def _dropped_after_a_power_cut(root: Path) -> tuple[Digest, ...]:
    reboot(root)
    return await DirectoryLayerStore(root).recover()
