"""Archives between us and skopeo, which reads and writes both kinds."""

import json
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from runner.services.images.archives.imports import ImportOptions
from tests.support.images import a_tar
from tests.support.processes import needs_program
from tests.support.runner.runner_images import RunnerImages, chunked, joined, runner_images

ROOTFS = a_tar({"etc/": b"", "etc/motd": b"hello"})
NAME = "registry.test/app:1"


@pytest.fixture
async def runner(tmp_path: Path) -> AsyncIterator[RunnerImages]:
    async with runner_images(tmp_path / "runner") as runner:
        yield runner


def skopeo(*arguments: str) -> str:
    command = [needs_program("skopeo"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True)  # noqa: S603 - a fixed command
    assert done.returncode == 0, done.stderr
    return done.stdout


async def saved(runner: RunnerImages) -> tuple[str, bytes]:
    """An imported image's ID, and the archive with it."""
    options = ImportOptions("app:1", ('CMD ["sh"]',))
    image = await runner.images.import_(chunked(ROOTFS), options, runner.on_progress)
    return str(image.id), await joined(runner.images.save(["app:1"]))


async def read(place: Path) -> AsyncIterator[bytes]:
    async with await anyio.open_file(place, "rb") as file:
        yield await file.read()


def written(place: Path, content: bytes) -> Path:
    place.write_bytes(content)
    return place


@pytest.mark.parametrize("kind", ["docker-archive", "oci-archive"])
async def test_skopeo_reads_what_we_save(runner: RunnerImages, tmp_path: Path, kind: str) -> None:
    _, content = await saved(runner)
    archive = written(tmp_path / "saved.tar", content)

    shown = json.loads(skopeo("inspect", "--config", f"{kind}:{archive}"))

    image = runner.images.find("app:1")
    assert shown["config"]["Cmd"] == ["sh"]
    assert shown["rootfs"]["diff_ids"] == [str(diff_id) for diff_id in image.config.diff_ids]


@pytest.mark.parametrize("kind", ["docker-archive", "oci-archive"])
async def test_we_load_what_skopeo_writes(runner: RunnerImages, tmp_path: Path, kind: str) -> None:
    image_id, content = await saved(runner)
    archive, copied = written(tmp_path / "saved.tar", content), tmp_path / "copied.tar"
    await runner.images.remove("app:1")
    skopeo("copy", f"oci-archive:{archive}", f"{kind}:{copied}:{NAME}")

    (loaded,) = await runner.images.load(read(copied), runner.on_progress)

    assert str(loaded.id) == image_id
    assert runner.tags == ["app:1"]
