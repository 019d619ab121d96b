"""Save: the same bytes each time, an OCI layout and docker's archive at once."""

import io
import json
import tarfile

import pytest

from runner.errors import NoSuchImage
from runner.services.images.archives.imports import ImportOptions
from tests.runner.services.images.archives.conftest import ROOTFS, SOURCE
from tests.support.runner.fake_registry import FakeRegistry
from tests.support.runner.runner_images import RunnerImages, chunked, joined


async def test_a_saved_image_loads_as_the_same_image(
    runner: RunnerImages, other: RunnerImages
) -> None:
    async with FakeRegistry() as registry:
        registry.put(SOURCE)
        await runner.images.pull(f"{registry.host}/app", progress=runner.on_progress)
        name = f"{registry.host}/app:latest"
    await runner.images.tag(name, "app:second")

    archive = await joined(runner.images.save([name, "app:second"]))
    (image,) = await other.images.load(chunked(archive), other.on_progress)

    assert image.manifest.content == SOURCE.manifest
    assert other.tags == [name, "app:second"]
    assert [event.stream for event in other.told if event.stream] == [
        f"Loaded image: {name}\n",
        "Loaded image: app:second\n",
    ]
    assert other.lies() == []


async def test_an_archive_is_the_same_bytes_each_time(runner: RunnerImages) -> None:
    await runner.images.import_(chunked(ROOTFS), ImportOptions("x"), runner.on_progress)

    first = await joined(runner.images.save(["x"]))

    assert await joined(runner.images.save(["x"])) == first


async def test_an_archive_is_a_layout_and_dockers_at_once(runner: RunnerImages) -> None:
    image = await runner.images.import_(chunked(ROOTFS), ImportOptions("x"), runner.on_progress)

    content = await joined(runner.images.save(["x"]))

    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        files = {entry.name: archive.extractfile(entry) for entry in archive}
    assert {"index.json", "manifest.json", "oci-layout"} < set(files)
    documents = {}
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for name in ("index.json", "manifest.json", "oci-layout"):
            file = archive.extractfile(name)
            assert file is not None
            documents[name] = json.load(file)
    (item,) = documents["manifest.json"]
    assert item["RepoTags"] == ["registry.test/x:latest"]
    assert item["Config"] == f"blobs/sha256/{image.id.encoded}"
    assert documents["oci-layout"] == {"imageLayoutVersion": "1.0.0"}


async def test_saving_by_id_saves_no_name(runner: RunnerImages, other: RunnerImages) -> None:
    image = await runner.images.import_(chunked(ROOTFS), ImportOptions("x"), runner.on_progress)

    archive = await joined(runner.images.save([str(image.id)]))
    await other.images.load(chunked(archive), other.on_progress)

    assert other.tags == []
    assert other.images.find(image.id.encoded[:12]).id == image.id
    assert other.told[-1].stream == f"Loaded image ID: {image.id}\n"


async def test_saving_what_is_not_there_fails_before_the_first_byte(runner: RunnerImages) -> None:
    with pytest.raises(NoSuchImage):
        runner.images.save(["nothing"])
