"""LayerSync: later, once for all, and never in anybody's way."""

import asyncio
from pathlib import Path

import pytest

from runner.services.images.layers.sync import LayerSync
from runner.storage.layers.store import DirectoryLayerStore
from tests.support.images import Layer, a_layer


@pytest.fixture
def layers(tmp_path: Path) -> DirectoryLayerStore:
    return DirectoryLayerStore(tmp_path / "layers")


async def unpack(layers: DirectoryLayerStore, layer: Layer) -> None:
    async with layers.writer(layer.diff_id, "none") as writer:
        await writer.write(layer.tar)
        await writer.commit()


async def test_layers_are_settled_after_a_while(
    layers: DirectoryLayerStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await unpack(layers, a_layer({"a": b"a"}))
    layer_sync = LayerSync(layers, after_seconds=0.01)
    sync, synced = layers.sync, asyncio.Event()

    async def settle_and_say_so() -> None:
        await sync()
        synced.set()

    monkeypatch.setattr(layers, "sync", settle_and_say_so)

    layer_sync.begin()
    at_once = layers.unsynced
    await asyncio.wait_for(synced.wait(), 60)

    assert (at_once, layers.unsynced) == (True, False)
    await layer_sync.close()


async def test_layers_that_come_during_a_sync_are_synced_too(
    layers: DirectoryLayerStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await unpack(layers, a_layer({"a": b"a"}))
    layer_sync = LayerSync(layers, after_seconds=0.01)
    sync, first, second = layers.sync, asyncio.Event(), asyncio.Event()

    async def settle_while_another_comes() -> None:
        await sync()
        if not first.is_set():
            first.set()
            await unpack(layers, a_layer({"b": b"b"}))
            layer_sync.begin()
        else:
            second.set()

    monkeypatch.setattr(layers, "sync", settle_while_another_comes)

    layer_sync.begin()
    await asyncio.wait_for(second.wait(), 60)

    assert not layers.unsynced
    await layer_sync.close()


async def test_a_disk_that_fails_ends_the_try_and_not_the_daemon(
    layers: DirectoryLayerStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await unpack(layers, a_layer({"a": b"a"}))
    sync, tries = layers.sync, 0

    async def fail_once() -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise OSError(5, "Input/output error")
        await sync()

    monkeypatch.setattr(layers, "sync", fail_once)
    layer_sync = LayerSync(layers, after_seconds=0)

    layer_sync.begin()
    await asyncio.wait_for(scheduled_sync(), 60)

    assert (tries, layers.unsynced) == (1, True)
    layer_sync.begin()
    await asyncio.wait_for(scheduled_sync(), 60)
    assert (tries, layers.unsynced) == (2, False)
    await layer_sync.close()


async def scheduled_sync() -> None:
    """Wait until the scheduled sync ends by itself; ``close`` would cancel it."""
    [task] = [task for task in asyncio.all_tasks() if task.get_name() == "sync layers"]
    await task


async def test_a_close_does_not_wait_for_the_while(layers: DirectoryLayerStore) -> None:
    await unpack(layers, a_layer({"a": b"a"}))
    layer_sync = LayerSync(layers, after_seconds=1000)
    layer_sync.begin()

    await asyncio.wait_for(layer_sync.close(), 60)

    assert layers.unsynced
