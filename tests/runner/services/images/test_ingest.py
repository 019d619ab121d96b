"""ingest_image: every part verified, or no image."""

from dataclasses import replace
from pathlib import Path

import pytest

from oci.digest import Digest
from runner.errors import BadRequest
from runner.services.images.ingest import LocalImage, ingest_image
from runner.services.images.layers.files import FileRange, LayerFile
from tests.support.images import Layer, an_image
from tests.support.runner.runner_images import RunnerImages

SOURCE = an_image(layers=2)
NAME = "registry.test/app:1"


def file_of(directory: Path, layer: Layer) -> LayerFile:
    path = directory / layer.descriptor.digest.encoded
    path.write_bytes(layer.blob)
    return LayerFile(layer.descriptor, layer.diff_id, FileRange.whole(path))


@pytest.fixture
def local(tmp_path: Path) -> LocalImage:
    layers = [file_of(tmp_path, layer) for layer in SOURCE.layers]
    return LocalImage.assemble(SOURCE.config, layers)


def test_an_assembled_image_has_a_manifest_of_its_own(local: LocalImage) -> None:
    assert local.manifest_digest == Digest.of(local.manifest.content)
    assert local.config.content == SOURCE.config
    assert local.manifest.layers == tuple(layer.descriptor for layer in SOURCE.layers)
    assert local.target.digest == local.manifest_digest
    assert local.target.size == len(local.manifest.content)


async def test_an_image_is_recorded_with_its_layers_unpacked(
    memory_runner: RunnerImages, local: LocalImage
) -> None:
    image = await ingest_image(memory_runner.store, local, [NAME], memory_runner.on_progress)

    assert image.id == local.config.image_id
    assert [record.reference for record in image.records] == [NAME]
    assert all(memory_runner.store.layers.has(layer.diff_id) for layer in SOURCE.layers)
    assert memory_runner.lies() == []


async def test_an_image_of_which_a_part_is_wrong_is_none(
    memory_runner: RunnerImages, local: LocalImage
) -> None:
    local.layers[1].content.path.write_bytes(bytes(local.layers[1].content.size))

    with pytest.raises(BadRequest, match="archive: "):
        await ingest_image(memory_runner.store, local, [NAME], memory_runner.on_progress)

    assert memory_runner.images.list() == ()
    assert memory_runner.lies() == []


async def test_a_layer_too_few_is_refused(memory_runner: RunnerImages, local: LocalImage) -> None:
    less = replace(local, layers=local.layers[:1])

    with pytest.raises(BadRequest, match="1 layers, but 2 diff_ids in the config"):
        await ingest_image(memory_runner.store, less, [NAME], memory_runner.on_progress)
