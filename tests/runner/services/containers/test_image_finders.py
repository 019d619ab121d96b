"""The ImageFinder contract, on the runner's images and on those of the containers' tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runner.errors import NoSuchImage
from runner.services.containers.dependencies import ImageFinder
from runner.storage.layers.store import DirectoryLayerStore
from tests.support.images import an_image
from tests.support.runner.memory_registries import MemoryRegistries
from tests.support.runner.runner_containers import SomeImages
from tests.support.runner.runner_images import runner_images

SOURCE = an_image(2)


@pytest.fixture(params=["images", "some images"])
async def finder(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ImageFinder]:
    if request.param == "some images":
        found = SomeImages(DirectoryLayerStore(tmp_path / "layers"))
        await found.add("app", SOURCE)
        yield found
        return
    registries = MemoryRegistries()
    registries.content("app").put(SOURCE)
    async with runner_images(tmp_path, registries=registries) as runner:
        await runner.images.pull("app", progress=runner.on_progress)
        yield runner.images


async def test_a_name_finds_its_image(finder: ImageFinder) -> None:
    image = finder.find("app")

    assert image.id == SOURCE.image_config.image_id
    assert image.diff_ids == tuple(layer.diff_id for layer in SOURCE.layers)


async def test_an_unknown_name_is_refused(finder: ImageFinder) -> None:
    with pytest.raises(NoSuchImage):
        finder.find("nobody")


async def test_an_image_may_be_kept_twice(finder: ImageFinder) -> None:
    image = finder.find("app")

    with finder.keep(image), finder.keep(image):
        assert finder.find("app").id == image.id
