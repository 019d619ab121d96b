"""ArchiveFiles: members by name, links between them, headers within bounds."""

import json

import pytest
from backports import zstd

from runner.errors import BadRequest
from tests.runner.services.images.archives.conftest import SOURCE, an_archive, docker_archive
from tests.support.images import a_layer, an_image
from tests.support.runner.archives.tar_entries import pax
from tests.support.runner.runner_images import RunnerImages, chunked


async def test_a_member_that_comes_twice_in_the_same_bytes_is_one(runner: RunnerImages) -> None:
    archive = docker_archive(SOURCE, "app:1")
    # Two blocks of zeros and what fills the last record end it.
    twice = archive.rstrip(b"\0")
    twice += bytes(-len(twice) % 512)

    await runner.images.load(chunked(twice + archive), runner.on_progress)

    assert runner.tags == ["app:1"]


async def test_links_between_layers_of_an_old_archive_are_followed(runner: RunnerImages) -> None:
    layer = a_layer({"same": b"same"})
    image = an_image([layer])
    files: dict[str, bytes | str] = {"a/layer.tar": layer.tar, "b/layer.tar": "../a/layer.tar"}
    config = "config.json"
    item = {"Config": config, "RepoTags": ["app:1"], "Layers": ["b/layer.tar"]}
    files |= {config: image.config, "manifest.json": json.dumps([item]).encode()}

    await runner.images.load(chunked(an_archive(files)), runner.on_progress)

    assert runner.tags == ["app:1"]


async def test_a_header_larger_than_any_is_refused_and_not_kept(runner: RunnerImages) -> None:
    """A few KiB of zstd may be a header of gigabytes."""
    huge = pax({b"comment": bytes(2 << 20)})
    archive = zstd.compress(huge + docker_archive(SOURCE, "app"))

    with pytest.raises(BadRequest, match="at most 1048576 are read"):
        await runner.images.load(chunked(archive), runner.on_progress)
