"""Images as clients of ten years wrote them: what every other engine takes is taken."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from oci.descriptor import Descriptor
from oci.digest import Digest
from oci.encoding import image_manifest
from oci.mediatype import OCI_CONFIG, OCI_LAYER_GZIP, OCI_LAYER_TAR, OCI_LAYER_ZSTD
from runner.errors import RunnerError
from tests.support.images import Image, Layer, a_layer, an_image
from tests.support.runner.archives.tar_entries import archive, entry, hard_link
from tests.support.runner.fake_registry import FakeRegistry
from tests.support.runner.runner_images import RunnerImages, chunked, joined, runner_images

SOURCE = an_image([a_layer({"file": b"content"})])
LAYER = SOURCE.layers[0]


def changed(config: dict[str, Any] | None = None, layer: dict[str, Any] | None = None) -> Image:
    """SOURCE with other members in the descriptors of its manifest."""
    document = json.loads(SOURCE.manifest)
    document["config"] |= config or {}
    document["layers"][0] |= layer or {}
    return replace(SOURCE, manifest=json.dumps(document).encode())


def plain(tar: bytes) -> Layer:
    return Layer(tar, tar, Descriptor(OCI_LAYER_TAR, Digest.of(tar), len(tar)))


@pytest.mark.parametrize(
    "image",
    [
        changed(config={"mediaType": "text/html"}),
        changed(config={"mediaType": ""}),
        changed(config={"mediaType": None}),
        changed(config={"mediaType": f"{OCI_CONFIG}; charset=utf-8"}),
        changed(layer={"mediaType": f"{OCI_LAYER_GZIP}; charset=utf-8"}),
        changed(layer={"mediaType": OCI_LAYER_ZSTD}),
        changed(layer={"mediaType": OCI_LAYER_TAR}),
        changed(layer={"urls": ["http://127.0.0.1:1/never"]}),
        changed(layer={"annotations": None}),
        changed(layer={"annotations": {"a": None}}),
        an_image([plain(b"")]),
        an_image([plain(entry(b"file", content=b"no padding")[: 512 + 10])]),
    ],
)
async def test_an_image_as_others_write_it_is_pulled_saved_and_loaded(
    image: Image, registry: FakeRegistry, runner: RunnerImages, tmp_path: Path
) -> None:
    registry.put(image)

    pulled = await runner.images.pull("app", progress=runner.on_progress)
    saved = await joined(runner.images.save(["app"]))

    async with runner_images(tmp_path / "other", registry.host) as other:
        (loaded,) = await other.images.load(chunked(saved), other.on_progress)
        assert loaded.id == pulled.id == image.image_config.image_id
        assert other.store.layers.has(image.layers[0].diff_id)


async def test_two_blobs_of_one_layer_are_both_kept(
    registry: FakeRegistry, runner: RunnerImages
) -> None:
    packed, plain_layer = a_layer({"x": b"x"}), a_layer({"x": b"x"}, OCI_LAYER_TAR)
    registry.put(an_image([packed, plain_layer, packed]))

    image = await runner.images.pull("app", progress=runner.on_progress)

    assert len(image.config.diff_ids) == 3
    assert await joined(runner.images.save(["app"]))


async def test_layers_that_do_not_fit_each_other_are_refused_by_the_pull(
    registry: FakeRegistry, runner: RunnerImages
) -> None:
    base, top = plain(archive(entry(b"a"))), plain(archive(hard_link(b"l", b"nowhere")))
    registry.put(an_image([base, top]))

    with pytest.raises(RunnerError, match="points to 'nowhere', which no layer has"):
        await runner.images.pull("app", progress=runner.on_progress)

    assert runner.tags == []


async def test_too_many_layers_are_refused_before_any_is_fetched(
    registry: FakeRegistry, runner: RunnerImages
) -> None:
    source = an_image([LAYER] * 501)
    registry.put(source)

    with pytest.raises(RunnerError, match="501 layers, expected at most 500"):
        await runner.images.pull("app", progress=runner.on_progress)

    assert not registry.asked("GET", str(LAYER.descriptor.digest))


async def test_an_artifact_is_refused_by_its_config(
    registry: FakeRegistry, runner: RunnerImages
) -> None:
    chart = b'{"name":"chart","version":"1"}'
    config = Descriptor("application/vnd.cncf.helm.config.v1+json", Digest.of(chart), len(chart))
    manifest = image_manifest(config, [LAYER.descriptor])
    registry.put(replace(SOURCE, manifest=manifest, config=chart))

    with pytest.raises(
        RunnerError, match=r"not an image: its config is application/vnd\.cncf\.helm"
    ):
        await runner.images.pull("app", progress=runner.on_progress)
