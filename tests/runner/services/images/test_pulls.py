"""Pull: resolve, choose a platform, fetch and unpack, name."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from oci.descriptor import Descriptor, Platform
from oci.digest import Digest
from oci.encoding import image_manifest
from oci.mediatype import DOCKER_FOREIGN_GZIP, OCI_CONFIG
from runner.errors import BadRequest, NoSuchImage, NotFound
from runner.services.images.layers.download import rechunked
from tests.support.images import a_layer, an_image, an_index
from tests.support.runner.fake_registry import FakeRegistry
from tests.support.runner.memory_registries import MemoryRegistries
from tests.support.runner.runner_images import RunnerImages, joined


async def test_a_pulled_image_is_unpacked_recorded_and_found(
    registry: FakeRegistry, runner: RunnerImages
) -> None:
    source = an_image([a_layer({"etc/": b"", "etc/motd": b"hello"}), a_layer({"b": b"b"})])
    registry.put(source)

    image = await runner.images.pull("app", progress=runner.on_progress)

    assert image.id == source.image_config.image_id
    assert image.config.diff_ids == tuple(layer.diff_id for layer in source.layers)
    first = await runner.store.layers.directory(source.layers[0].diff_id)
    assert (first / "etc/motd").read_bytes() == b"hello"
    for name in ("app", "app:latest", f"app@{source.digest}", str(image.id), image.id.encoded[:12]):
        assert runner.images.find(name).id == image.id
    assert runner.statuses[0] == "Pulling from app"
    assert f"Digest: {source.digest}" in runner.statuses
    assert runner.statuses[-1] == "Status: Downloaded newer image for app:latest"
    assert runner.statuses.count("Pull complete") == 2


async def test_pulling_again_fetches_no_layer(
    registries: MemoryRegistries, memory_runner: RunnerImages
) -> None:
    source, runner = an_image(2), memory_runner
    registries.content("app").put(source)
    await runner.images.pull("app", progress=runner.on_progress)
    layers = [str(layer.descriptor.digest) for layer in source.layers]
    before = [registries.fetched.count(layer) for layer in layers]

    await runner.images.pull("app", progress=runner.on_progress)

    assert [registries.fetched.count(layer) for layer in layers] == before == [1, 1]
    assert runner.statuses[-1] == "Status: Image is up to date for app:latest"
    assert runner.statuses.count("Already exists") == 2


async def test_a_layer_that_is_missing_at_the_registry_names_nothing(
    registries: MemoryRegistries, memory_runner: RunnerImages
) -> None:
    source, app = an_image(2), registries.content("app")
    app.put(source)
    missing = str(source.layers[1].descriptor.digest)
    content = app.blobs.pop(missing)

    with pytest.raises(NotFound, match=missing):
        await memory_runner.images.pull("app", progress=memory_runner.on_progress)

    assert memory_runner.images.list() == ()
    app.blobs[missing] = content
    image = await memory_runner.images.pull("app", progress=memory_runner.on_progress)
    assert image.manifest.content == source.manifest


async def test_two_pulls_of_shared_layers_fetch_each_once(
    registry: FakeRegistry, runner: RunnerImages
) -> None:
    shared = a_layer({"shared": b"s" * 300_000})
    registry.put(an_image([shared, a_layer({"one": b"1"})]), "one")
    registry.put(an_image([shared, a_layer({"two": b"2"})]), "two")

    await asyncio.gather(
        runner.images.pull("app:one", progress=runner.on_progress),
        runner.images.pull("app:two", progress=runner.on_progress),
    )

    assert len(registry.asked("GET", str(shared.descriptor.digest))) == 1
    assert runner.tags == ["app:one", "app:two"]


async def test_an_index_gives_the_platform_asked_for(
    registry: FakeRegistry, runner: RunnerImages
) -> None:
    amd64 = an_image(seed="amd64")
    arm64 = an_image(seed="arm64", platform=Platform("linux", "arm64", "v8"))
    index = an_index(amd64, arm64)
    registry.put(index)

    chosen = await runner.images.pull("app", platform="linux/arm64", progress=runner.on_progress)

    assert chosen.manifest.content == arm64.manifest
    assert runner.images.find(f"app@{index.digest}").id == chosen.id
    with pytest.raises(NotFound, match=r"no matching manifest for linux/s390x .*linux/amd64"):
        await runner.images.pull("app", platform="linux/s390x", progress=runner.on_progress)
    with pytest.raises(BadRequest, match="invalid platform"):
        await runner.images.pull(
            "app", platform="no such/platform/at/all", progress=runner.on_progress
        )


async def test_a_manifest_for_another_platform_is_refused_when_one_was_asked_for(
    registry: FakeRegistry, runner: RunnerImages
) -> None:
    registry.put(an_image())

    with pytest.raises(NotFound, match="the image is for linux/amd64, asked for was linux/arm64"):
        await runner.images.pull("app", platform="linux/arm64", progress=runner.on_progress)

    assert runner.images.list() == ()


async def test_a_pull_by_digest_names_no_tag(registry: FakeRegistry, runner: RunnerImages) -> None:
    source = an_image()
    registry.put(source)

    await runner.images.pull(f"app:other@{source.digest}", progress=runner.on_progress)

    (summary,) = runner.images.list()
    assert summary.tags == ()
    assert summary.digests == (f"app@{source.digest}",)
    with pytest.raises(NoSuchImage):
        runner.images.find("app:other")


async def test_a_tag_that_moved_leaves_the_old_image_without_a_tag(
    registry: FakeRegistry, runner: RunnerImages
) -> None:
    registry.put(an_image(seed="old"))
    old = await runner.images.pull("app", progress=runner.on_progress)
    registry.put(an_image(seed="new"))

    new = await runner.images.pull("app", progress=runner.on_progress)

    assert runner.images.find("app").id == new.id != old.id
    assert runner.images.find(str(old.id)).tags == ()
    dangling = runner.images.list({"dangling": ["true"]})
    assert [summary.id for summary in dangling] == [old.id]


@pytest.mark.parametrize("name", ["UPPER", "a//b", "app:", "app@sha256:12", "", "../etc", "a b"])
async def test_names_that_are_none_are_refused(runner: RunnerImages, name: str) -> None:
    with pytest.raises(BadRequest, match="invalid reference format"):
        await runner.images.pull(name, progress=runner.on_progress)
    with pytest.raises(NoSuchImage):
        runner.images.find(name)


async def test_all_tags_of_a_repository_are_pulled(
    registry: FakeRegistry, runner: RunnerImages
) -> None:
    for tag in ("1", "2", "3"):
        registry.put(an_image(seed=tag), tag)

    images = await runner.images.pull_all("app", progress=runner.on_progress)

    assert runner.tags == ["app:1", "app:2", "app:3"]
    assert len({image.id for image in images}) == 3


async def test_a_repository_without_tags_has_nothing_to_pull(runner: RunnerImages) -> None:
    with pytest.raises(NotFound, match="has no tags to pull"):
        await runner.images.pull_all("app", progress=runner.on_progress)


async def test_a_foreign_layer_that_the_registry_holds_is_a_layer(
    registry: FakeRegistry, runner: RunnerImages
) -> None:
    source = an_image([a_layer({"file": b"foreign"})])
    (layer,) = source.layers
    foreign = replace(
        layer.descriptor, media_type=DOCKER_FOREIGN_GZIP, urls=("http://192.0.2.1/layer",)
    )
    config = Descriptor(OCI_CONFIG, Digest.of(source.config), len(source.config))
    registry.put(replace(source, manifest=image_manifest(config, [foreign])))

    await runner.images.pull("app", progress=runner.on_progress)
    await runner.images.prune()
    saved = await joined(runner.images.save(["app"]))
    await runner.images.push("app", progress=runner.on_progress)

    directory = await runner.store.layers.directory(layer.diff_id)
    assert (directory / "file").read_bytes() == b"foreign"
    assert layer.descriptor.digest.encoded.encode() in saved
    assert "Skipped foreign layer" in runner.statuses


async def test_bytes_that_come_slowly_are_passed_on_as_they_come() -> None:
    times = iter([0.0, 0.4, 0.9, 1.3, 1.3, 1.4])

    async def trickle() -> AsyncIterator[bytes]:
        for letter in (b"a", b"b", b"c", b"d"):
            yield letter

    chunks = [chunk async for chunk in rechunked(trickle(), lambda: next(times))]

    assert chunks == [b"abc", b"d"]
