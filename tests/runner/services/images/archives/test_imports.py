"""Import: a root filesystem becomes an image; anything else is refused."""

import bz2
import gzip
import lzma
from typing import Any

import pytest
from backports import zstd

from oci.digest import Digest
from runner.errors import BadRequest
from runner.services.images.archives.imports import ImportOptions
from tests.runner.services.images.archives.conftest import (
    ROOTFS,
)
from tests.support.runner.runner_images import RunnerImages, chunked


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
