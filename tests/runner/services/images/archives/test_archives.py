"""Import, save and load: archives made by us, by docker, by skopeo, and by enemies."""

import bz2
import gzip
import io
import json
import lzma
import tarfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from backports import zstd

from oci.descriptor import Descriptor
from oci.digest import Digest
from oci.encoding import image_index
from oci.mediatype import OCI_LAYER_TAR
from runner.errors import BadRequest, NoSuchImage
from runner.services.images.archives.imports import ImportOptions
from tests.support.images import Image, a_layer, a_tar, an_image
from tests.support.runner.archives.tar_entries import pax
from tests.support.runner.fake_registry import FakeRegistry
from tests.support.runner.runner_images import RunnerImages, chunked, joined, runner_images

ROOTFS = a_tar({"bin/": b"", "bin/sh": b"#!", "etc/": b"", "etc/motd": b"hello"})
SOURCE = an_image([a_layer({"one": b"1"}), a_layer({"two": b"2"})])


@pytest.fixture
async def runner(tmp_path: Path) -> AsyncIterator[RunnerImages]:
    async with runner_images(tmp_path / "runner") as runner:
        yield runner


@pytest.fixture
async def other(tmp_path: Path) -> AsyncIterator[RunnerImages]:
    async with runner_images(tmp_path / "other") as runner:
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


async def test_a_root_filesystem_becomes_an_image_of_one_layer(runner: RunnerImages) -> None:
    changes = ("CMD /bin/sh -l", "ENV A=1 B='two words'", "WORKDIR /srv", "EXPOSE 80")
    options = ImportOptions("first", changes, "from a test", "linux/arm64")

    image = await runner.images.import_(chunked(ROOTFS), options, runner.on_progress)

    assert image.config.cmd == ("/bin/sh", "-c", "/bin/sh -l")
    assert image.config.env == ("A=1", "B=two words")
    assert image.config.working_dir == "/srv"
    assert image.config.exposed_ports == ("80/tcp",)
    assert str(image.config.platform) == "linux/arm64"
    assert image.config.diff_ids == (Digest.of(ROOTFS),)
    directory = await runner.store.layers.directory(image.config.diff_ids[0])
    assert (directory / "etc/motd").read_bytes() == b"hello"
    assert runner.images.history("first")[0].comment == "from a test"
    assert runner.told[-1].status == str(image.id)
    blob = runner.store.content.read(image.manifest.layers[0].digest)
    assert gzip.decompress(blob) == ROOTFS


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress, zstd.compress])
async def test_an_import_may_be_compressed(runner: RunnerImages, compress: Any) -> None:
    archive = compress(ROOTFS)

    image = await runner.images.import_(
        chunked(archive, 100), ImportOptions("x"), runner.on_progress
    )

    assert image.config.diff_ids == (Digest.of(ROOTFS),)
    assert list((runner.root / "tmp").iterdir()) == []


@pytest.mark.parametrize(
    "archive",
    [
        b"not a tar" * 1000,
        gzip.compress(ROOTFS)[:-30],
        b"\x1f\x8bgarbage",
        bz2.compress(ROOTFS)[:-30],
        b"BZhgarbage!",
        lzma.compress(ROOTFS)[:-30],
        ROOTFS[:700],
    ],
)
async def test_an_import_of_anything_else_is_refused(runner: RunnerImages, archive: bytes) -> None:
    with pytest.raises(BadRequest):
        await runner.images.import_(chunked(archive), ImportOptions("x"), runner.on_progress)

    assert runner.images.list() == ()
    assert list(runner.store.layers.diff_ids()) == []
    assert list((runner.root / "tmp").iterdir()) == []


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


async def test_a_header_larger_than_any_is_refused_and_not_kept(runner: RunnerImages) -> None:
    """A few KiB of zstd may be a header of gigabytes."""
    huge = pax({b"comment": bytes(2 << 20)})
    archive = zstd.compress(huge + docker_archive(SOURCE, "app"))

    with pytest.raises(BadRequest, match="at most 1048576 are read"):
        await runner.images.load(chunked(archive), runner.on_progress)
