"""Protection: the sweep leaves content that a record names, and content that an operation holds."""

from runner.storage.content.contract import put_document
from tests.support.images import a_layer, an_image
from tests.support.runner.memory_registries import MemoryRegistries
from tests.support.runner.runner_images import RunnerImages

LAYER = a_layer({"a": b"a"})
BLOB = LAYER.descriptor.digest


async def unpack(runner: RunnerImages) -> None:
    """Put the layer's blob and its files here, as a pull does before it records the image."""
    await put_document(runner.store.content, BLOB, LAYER.blob)
    async with runner.store.layers.writer(LAYER.diff_id, "gzip") as writer:
        await writer.write(LAYER.blob)
        await writer.commit()


def is_here(runner: RunnerImages) -> tuple[bool, bool]:
    """Whether the layer's files are here, and whether its blob is."""
    return runner.store.layers.has(LAYER.diff_id), runner.store.content.has(BLOB)


async def test_content_without_a_record_is_deleted(memory_runner: RunnerImages) -> None:
    await unpack(memory_runner)

    layers, size = await memory_runner.store.protection.sweep()

    assert layers == (LAYER.diff_id,)
    assert size == len(LAYER.blob)
    assert is_here(memory_runner) == (False, False)


async def test_content_that_a_record_names_is_kept(
    memory_runner: RunnerImages, registries: MemoryRegistries
) -> None:
    registries.content("app").put(an_image([LAYER]))
    await memory_runner.images.pull("app", progress=memory_runner.on_progress)

    swept = await memory_runner.store.protection.sweep()

    assert swept == ((), 0)
    assert is_here(memory_runner) == (True, True)


async def test_content_is_kept_until_its_last_holder_lets_go(memory_runner: RunnerImages) -> None:
    protection = memory_runner.store.protection
    await unpack(memory_runner)

    with protection.hold({LAYER.diff_id, BLOB}):
        with protection.hold({LAYER.diff_id, BLOB}):
            assert protection.held() == {LAYER.diff_id, BLOB}
        assert await protection.sweep() == ((), 0)
        assert is_here(memory_runner) == (True, True)

    assert protection.held() == frozenset()
    await protection.sweep()
    assert is_here(memory_runner) == (False, False)
