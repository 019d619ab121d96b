"""Image details: sizes, names and histories of stored images."""

from runner.services.images.details import describe, history, summarize
from runner.services.images.image import CorruptImage
from tests.support.images import a_layer, an_image
from tests.support.runner.fake_registry import FakeRegistry
from tests.support.runner.runner_images import RunnerImages


async def test_a_layer_that_occurs_twice_is_counted_once(
    registry: FakeRegistry, runner: RunnerImages
) -> None:
    layer = a_layer({"file": b"x" * 1000})
    registry.put(an_image([layer, a_layer({"other": b"y"}), layer]))
    image = await runner.images.pull("app", progress=runner.on_progress)

    details = describe(runner.store, image)

    assert details.size == 1001
    assert [step.size for step in history(runner.store, image)] == [1000, 1, 1000]


async def test_an_image_without_tags_was_tagged_at_no_time(
    registry: FakeRegistry, runner: RunnerImages
) -> None:
    source = an_image()
    registry.put(source)
    by_digest = await runner.images.pull(f"app@{source.digest}", progress=runner.on_progress)
    by_tag = await runner.images.pull("app", progress=runner.on_progress)

    assert describe(runner.store, by_digest).tagged is None
    assert describe(runner.store, by_tag).tagged is not None


async def test_a_corrupt_image_has_its_names_and_no_size(
    registry: FakeRegistry, runner: RunnerImages
) -> None:
    registry.put(an_image(labels={"team": "blue"}))
    image = await runner.images.pull("app", progress=runner.on_progress)
    corrupt = CorruptImage(image.id, image.records, (), "gone")

    summary = summarize(runner.store, corrupt, ())

    assert (summary.tags, summary.size, summary.labels) == (("app:latest",), 0, None)
    assert summarize(runner.store, image, ()).labels == {"team": "blue"}
