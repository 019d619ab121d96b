"""Push: an image's exact bytes, and only what is missing."""

import pytest

from oci.digest import Digest
from oci.mediatype import OCI_LAYER_TAR
from runner.errors import BadRequest, NotFound
from tests.support.images import a_layer, an_image
from tests.support.runner.fake_registry import FakeRegistry
from tests.support.runner.memory_registries import MemoryRegistries
from tests.support.runner.runner_images import RunnerImages, joined


async def test_a_pushed_image_keeps_its_exact_bytes(
    registry: FakeRegistry, runner: RunnerImages
) -> None:
    source = an_image(2, docker=True)
    registry.put(source)
    await runner.images.pull("app", progress=runner.on_progress)
    await runner.images.tag("app", "team/copy:1")

    digest = await runner.images.push("team/copy:1", progress=runner.on_progress)

    assert digest == source.digest
    media_type, content = registry.manifests["/v2/team/copy/manifests/1"]
    assert (media_type, content) == (source.media_type, source.manifest)
    assert runner.told[-1].to_json()["aux"] == {
        "Tag": "1",
        "Digest": str(source.digest),
        "Size": len(source.manifest),
    }
    assert runner.images.find(f"team/copy@{digest}").id == source.image_config.image_id


async def test_a_push_sends_only_what_is_missing(
    registry: FakeRegistry, runner: RunnerImages
) -> None:
    source = an_image(2)
    registry.put(source)
    await runner.images.pull("app", progress=runner.on_progress)
    registry.blobs.pop(str(source.layers[1].descriptor.digest))

    await runner.images.push("app", progress=runner.on_progress)

    (sent,) = registry.asked("PUT", "/blobs/uploads/")
    assert sent.query["digest"] == [str(source.layers[1].descriptor.digest)]
    assert sent.query["_state"] == ["a/b="]
    assert runner.statuses.count("Layer already exists") == 1
    assert runner.statuses.count("Pushed") == 1


async def test_a_push_mounts_from_a_repository_known_to_hold_the_blob(
    registry: FakeRegistry, runner: RunnerImages
) -> None:
    registry.put(an_image())
    await runner.images.pull("app", progress=runner.on_progress)
    await runner.images.tag("app", "team/copy")
    registry.blobs.clear()

    await runner.images.push("team/copy", progress=runner.on_progress)

    mounts = [
        seen.query.get("from") for seen in registry.asked("POST", "/team/copy/blobs/uploads/")
    ]
    assert ["app"] in mounts


async def test_a_mounted_layer_is_not_sent(
    registries: MemoryRegistries, memory_runner: RunnerImages
) -> None:
    source, runner = an_image(2), memory_runner
    registries.content("app").put(source)
    await runner.images.pull("app", progress=runner.on_progress)
    await runner.images.tag("app", "team/copy")

    await runner.images.push("team/copy", progress=runner.on_progress)

    assert registries.sent == [str(Digest.of(source.config))]
    assert runner.statuses.count("Mounted from app") == 2
    assert registries.content("team/copy").manifests["latest"][1] == source.manifest


async def test_a_manifest_is_pushed_after_everything_that_it_references(
    registries: MemoryRegistries, memory_runner: RunnerImages
) -> None:
    source, app = an_image(2), registries.content("app")
    app.put(source)
    await memory_runner.images.pull("app", progress=memory_runner.on_progress)
    await memory_runner.images.tag("app", "copy")
    layer = source.layers[1].descriptor.digest
    await memory_runner.store.content.delete(layer)
    app.blobs.clear()

    with pytest.raises(NotFound, match=f"layer {layer} is not here, and could not be fetched"):
        await memory_runner.images.push("copy", progress=memory_runner.on_progress)

    assert registries.content("copy").manifests == {}


async def test_a_layer_known_in_another_compression_is_kept_in_both(
    registry: FakeRegistry, runner: RunnerImages
) -> None:
    files = {"same": b"files"}
    packed, plain = a_layer(files), a_layer(files, OCI_LAYER_TAR)
    registry.put(an_image([packed]), "packed")
    registry.put(an_image([plain], seed="plain"), "plain")

    await runner.images.pull("app:packed", progress=runner.on_progress)
    await runner.images.pull("app:plain", progress=runner.on_progress)

    registry.blobs.clear()
    await runner.images.tag("app:plain", "copy:plain")
    await runner.images.push("copy:plain", progress=runner.on_progress)
    sent = [seen.query["digest"] for seen in registry.asked("PUT", "/copy/blobs/uploads/")]
    assert [str(plain.descriptor.digest)] in sent
    assert await joined(runner.images.save(["app:packed", "app:plain"]))


async def test_a_blob_that_was_lost_is_fetched_for_a_push_from_whichever_registry_has_it(
    registry: FakeRegistry, runner: RunnerImages
) -> None:
    source = an_image()
    digest = source.layers[0].descriptor.digest
    async with FakeRegistry() as other:
        for each in (registry, other):
            each.put(source)
            await runner.images.pull(f"{each.host}/app", progress=runner.on_progress)
        await runner.store.content.delete(digest)
        registry.blobs.clear()

        await runner.images.push(f"{registry.host}/app", progress=runner.on_progress)

    assert str(digest) in registry.blobs


async def test_a_blob_that_no_registry_has_says_what_each_answered(
    registry: FakeRegistry, runner: RunnerImages
) -> None:
    source = an_image()
    registry.put(source)
    await runner.images.pull("app", progress=runner.on_progress)
    await runner.store.content.delete(source.layers[0].descriptor.digest)
    registry.blobs.clear()

    with pytest.raises(NotFound, match=r"could not be fetched: .*404"):
        await runner.images.push("app", progress=runner.on_progress)


async def test_a_push_of_what_is_not_there_is_refused(runner: RunnerImages) -> None:
    with pytest.raises(NotFound, match="does not exist locally with the tag: nothing:latest"):
        await runner.images.push("nothing", progress=runner.on_progress)
    with pytest.raises(BadRequest, match="name a tag"):
        await runner.images.push(f"app@{Digest.of(b'')}", progress=runner.on_progress)


async def test_all_tags_of_a_repository_are_pushed(
    registry: FakeRegistry, runner: RunnerImages
) -> None:
    registry.put(an_image())
    await runner.images.pull("app", progress=runner.on_progress)
    for tag in ("one", "two"):
        await runner.images.tag("app", f"team/all:{tag}")

    await runner.images.push("team/all", all_tags=True, progress=runner.on_progress)

    pushed = {seen.path.rpartition("/")[2] for seen in registry.asked("PUT", "/manifests/")}
    assert pushed == {"one", "two"}
