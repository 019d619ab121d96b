"""Load: archives of docker, of skopeo, and of enemies."""

import bz2
import gzip
import io
import lzma
import tarfile
from typing import Any

import pytest
from backports import zstd

from oci.descriptor import Descriptor
from oci.digest import Digest
from oci.encoding import image_index
from oci.mediatype import OCI_LAYER_TAR
from runner.errors import BadRequest
from runner.services.images.archives.imports import ImportOptions
from tests.runner.services.images.archives.conftest import (
    ROOTFS,
    SOURCE,
    an_archive,
    docker_archive,
    layout,
)
from tests.support.images import a_layer, an_image
from tests.support.runner.runner_images import RunnerImages, chunked, joined


async def test_dockers_archive_loads(runner: RunnerImages) -> None:
    archive = docker_archive(SOURCE, "app:1", "docker.io/library/app:2")

    (image,) = await runner.images.load(chunked(archive), runner.on_progress)

    assert image.id == SOURCE.image_config.image_id
    assert runner.tags == ["app:1", "docker.io/app:2"]
    assert image.config.content == SOURCE.config


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress, zstd.compress])
async def test_a_compressed_archive_loads(runner: RunnerImages, compress: Any) -> None:
    await runner.images.load(chunked(compress(docker_archive(SOURCE, "app"))), runner.on_progress)

    assert runner.tags == ["app:latest"]


@pytest.mark.parametrize("name", ["", "0/layer.tar"])
async def test_layers_that_an_archive_leaves_out_are_those_that_are_here(
    runner: RunnerImages, name: str
) -> None:
    base, top = a_layer({"base": b"base"}), a_layer({"top": b"top"})
    await runner.images.load(
        chunked(docker_archive(an_image([base]), "base:1")), runner.on_progress
    )
    image = an_image([base, top])
    archive = docker_archive(
        image, "app:1", layers={"1/layer.tar": top.tar}, Layers=[name, "1/layer.tar"]
    )

    await runner.images.load(chunked(archive), runner.on_progress)

    assert runner.images.find("app:1").id == image.image_config.image_id
    assert await joined(runner.images.save(["app:1"]))


async def test_a_layer_that_is_nowhere_is_named(runner: RunnerImages) -> None:
    image = an_image(2)
    archive = docker_archive(image, "app:1", layers={}, Layers=["a.tar", "b.tar"])

    with pytest.raises(BadRequest, match=f"'a.tar', and its layer {image.layers[0].diff_id}"):
        await runner.images.load(chunked(archive), runner.on_progress)


@pytest.mark.parametrize(
    ("annotations", "tags"),
    [
        ({"io.containerd.image.name": "registry.test/app:1"}, ["app:1"]),
        ({"org.opencontainers.image.ref.name": "localhost/app:1"}, ["localhost/app:1"]),
        ({"org.opencontainers.image.ref.name": "1"}, []),
        ({}, []),
    ],
)
async def test_a_layout_loads_byte_for_byte(
    runner: RunnerImages, annotations: dict[str, str], tags: list[str]
) -> None:
    (image,) = await runner.images.load(chunked(layout(SOURCE, annotations)), runner.on_progress)

    assert image.manifest.content == SOURCE.manifest
    assert runner.tags == tags


async def test_a_name_that_moves_is_announced(runner: RunnerImages) -> None:
    old = await runner.images.import_(chunked(ROOTFS), ImportOptions("app:1"), runner.on_progress)

    await runner.images.load(chunked(docker_archive(SOURCE, "app:1")), runner.on_progress)

    said = [event.stream for event in runner.told if event.stream]
    assert said == [
        f"The image app:1 already exists, renaming the old one with ID {old.id} to empty string\n",
        "Loaded image: app:1\n",
    ]
    assert runner.images.find(str(old.id)).tags == ()


def config_lies() -> bytes:
    other = an_image([a_layer({"other": b"other"})])
    tars = {f"{n}/layer.tar": layer.tar for n, layer in enumerate(SOURCE.layers[:1])}
    return docker_archive(other, "app:1", layers=tars)


def two_entries() -> bytes:
    buffer = io.BytesIO(docker_archive(SOURCE, "app:1"))
    with tarfile.open(fileobj=buffer, mode="a") as archive:
        archive.addfile(tarfile.TarInfo("./manifest.json"), io.BytesIO(b""))
    return buffer.getvalue()


def with_blob(digest: Digest, content: bytes) -> bytes:
    changed = {f"blobs/sha256/{digest.encoded}": content}
    blobs = {**SOURCE.blobs, SOURCE.digest: SOURCE.manifest}
    files = {f"blobs/sha256/{d.encoded}": c for d, c in blobs.items()} | changed
    descriptor = Descriptor(SOURCE.media_type, SOURCE.digest, len(SOURCE.manifest))
    return an_archive({"index.json": image_index([descriptor]), **files})


HOSTILE = {
    "empty": (b"", "archive"),
    "no tar": (b"x" * 5000, "not a tar"),
    "no image": (an_archive({"readme": b"hello"}), "holds no image"),
    "manifest.json is no JSON": (an_archive({"manifest.json": b"{"}), "not JSON"),
    "manifest.json is no array": (an_archive({"manifest.json": b"{}"}), "expected an array"),
    "manifest.json holds no objects": (an_archive({"manifest.json": b"[3]"}), "Config"),
    "manifest.json nested deeply": (an_archive({"manifest.json": b"[" * 100_000}), "manifest"),
    "manifest.json twice": (two_entries(), "two different entries named"),
    "a config that is not there": (
        an_archive({"manifest.json": b'[{"Config":"../../etc/passwd","Layers":[]}]'}),
        "no file '../../etc/passwd'",
    ),
    "a config that is an absolute path": (
        an_archive({"manifest.json": b'[{"Config":"/etc/passwd","Layers":[]}]'}),
        "no file '/etc/passwd'",
    ),
    "a config that is a link out": (
        an_archive(
            {"c": "/etc/passwd", "manifest.json": b'[{"Config":"c","Layers":[],"RepoTags":[]}]'}
        ),
        "no file 'c'",
    ),
    "links in a circle": (
        an_archive({"a": "b", "b": "a", "manifest.json": b'[{"Config":"a","Layers":[]}]'}),
        "no file 'a'",
    ),
    "a layer that is missing": (
        docker_archive(SOURCE, "app:1", Layers=["nothing/layer.tar"]),
        "no file 'nothing/layer.tar'",
    ),
    "fewer layers than diff_ids": (
        docker_archive(SOURCE, "app:1", Layers=["0/layer.tar"]),
        "1 layers, but 2 diff_ids",
    ),
    "a layer that is another": (config_lies(), "content has digest .*, expected"),
    "a layer that is no tar": (
        docker_archive(an_image([a_layer({"a": b"a"})]), "app:1", layers={"l": b"no tar" * 1000}),
        "layer sha256:",
    ),
    "a layer that climbs out": (
        docker_archive(an_image([a_layer({"../../../escaped": b"x"})]), "app:1"),
        "layer sha256:",
    ),
    "a name that is none": (docker_archive(SOURCE, "../../etc/passwd"), "invalid reference"),
    "a name with a digest": (
        docker_archive(SOURCE, f"app@{SOURCE.digest}"),
        "expected a tag, found a digest",
    ),
    "names that are no strings": (docker_archive(SOURCE, RepoTags=[3]), "array of strings"),
    "index.json is an image": (
        an_archive({"index.json": SOURCE.manifest}),
        "expected an index",
    ),
    "a manifest of other bytes": (
        with_blob(SOURCE.digest, SOURCE.manifest + b" "),
        "content has digest",
    ),
    "a config of other bytes": (
        with_blob(Digest.of(SOURCE.config), SOURCE.config + b" "),
        "content has digest",
    ),
    "a blob of other bytes": (
        with_blob(SOURCE.layers[0].descriptor.digest, bytes(len(SOURCE.layers[0].blob))),
        "archive: ",
    ),
    "a blob cut short": (
        with_blob(SOURCE.layers[0].descriptor.digest, SOURCE.layers[0].blob[:-9]),
        "bytes, expected",
    ),
    "truncated": (docker_archive(SOURCE, "app:1")[:3000], "archive"),
    "a truncated gzip": (gzip.compress(docker_archive(SOURCE, "app:1"))[:-50], "decompress"),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_archive_is_refused_and_leaves_nothing(
    runner: RunnerImages, name: str
) -> None:
    archive, said = HOSTILE[name]

    with pytest.raises(BadRequest, match=said):
        await runner.images.load(chunked(archive), runner.on_progress)

    assert runner.images.list() == ()
    assert runner.lies() == []
    assert not list(runner.root.parent.rglob("escaped"))
    assert not (runner.root / "tmp").exists() or list((runner.root / "tmp").iterdir()) == []


async def test_plain_layers_of_a_layout_are_kept_as_they_are(runner: RunnerImages) -> None:
    source = an_image([a_layer({"plain": b"plain"}, OCI_LAYER_TAR)])

    (image,) = await runner.images.load(chunked(layout(source)), runner.on_progress)

    assert image.manifest.content == source.manifest
    assert runner.store.content.has(source.layers[0].descriptor.digest)


async def test_loading_again_changes_nothing(runner: RunnerImages) -> None:
    for _ in range(2):
        await runner.images.load(chunked(layout(SOURCE)), runner.on_progress)

    assert len(runner.images.list()) == 1
