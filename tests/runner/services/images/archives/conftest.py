"""Archives of one image, and two runners that hold images."""

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from oci.descriptor import Descriptor
from oci.digest import Digest
from oci.encoding import image_index
from tests.support.images import Image, a_layer, a_tar, an_image
from tests.support.runner.runner_images import OpenStores, RunnerImages, runner_images

ROOTFS = a_tar({"bin/": b"", "bin/sh": b"#!", "etc/": b"", "etc/motd": b"hello"})
SOURCE = an_image([a_layer({"one": b"1"}), a_layer({"two": b"2"})])


@pytest.fixture
async def runner(tmp_path: Path, open_stores: OpenStores) -> AsyncIterator[RunnerImages]:
    async with runner_images(tmp_path / "runner", open_stores=open_stores) as runner:
        yield runner


@pytest.fixture
async def other(tmp_path: Path, open_stores: OpenStores) -> AsyncIterator[RunnerImages]:
    async with runner_images(tmp_path / "other", open_stores=open_stores) as runner:
        yield runner


def an_archive(files: Mapping[str, bytes | str]) -> bytes:
    return a_tar(files)


def docker_archive(
    image: Image, *names: str, layers: Mapping[str, bytes] | None = None, **changes: Any
) -> bytes:
    """An archive as old versions of docker save it: layers as plain tars, each in its directory."""
    files = layers or {f"{n}/layer.tar": layer.tar for n, layer in enumerate(image.layers)}
    config = f"{Digest.of(image.config).encoded}.json"
    item = {"Config": config, "RepoTags": list(names), "Layers": list(files)} | changes
    return an_archive({**files, config: image.config, "manifest.json": json.dumps([item]).encode()})


def layout(image: Image, annotations: Mapping[str, str] | None = None, **more: bytes) -> bytes:
    """An OCI image layout of one image."""
    descriptor = Descriptor(
        image.media_type, image.digest, len(image.manifest), annotations=annotations or {}
    )
    blobs = {**image.blobs, image.digest: image.manifest}
    files = {f"blobs/{digest.algorithm}/{digest.encoded}": c for digest, c in blobs.items()}
    return an_archive({"index.json": image_index([descriptor]), **files, **more})
