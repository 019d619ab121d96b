"""Layers stacked as a container sees them."""

import os
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from runner.linux.mounts import mount, unmount
from runner.storage.files.walk import walk
from runner.storage.layers.store import DirectoryLayerStore
from runner.storage.snapshots.overlay import OverlaySnapshotter

Stack = Callable[..., Awaitable[dict[str, str]]]


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    """Files of some layers as a container sees them: mode, owner, content or target, by path."""

    async def stack(*archives: bytes) -> dict[str, str]:
        layers = DirectoryLayerStore(tmp_path / "layers")
        snapshots = OverlaySnapshotter(tmp_path / "snapshots", layers)
        diff_ids = []
        for content in archives:
            async with layers.writer(None, "none") as writer:
                await writer.write(content)
                diff_ids.append((await writer.commit()).diff_id)
        place = tmp_path / "mounted"
        place.mkdir()
        for wanted in await snapshots.prepare("c1", diff_ids):
            mount(wanted, place)
        try:
            return {
                os.fsdecode(entry.path): shown(place / os.fsdecode(entry.path))
                for entry in walk(place)
            }
        finally:
            unmount(place)

    return stack


def shown(path: Path) -> str:
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        return "-> " + os.readlink(path)
    told = f"{stat.S_IMODE(found.st_mode):o} {found.st_uid}"
    return told if stat.S_ISDIR(found.st_mode) else f"{told} {path.read_text()}"


def fixups(directory: Path) -> list[Path]:
    return list(directory.glob("layers/sha256/*/fixups/*"))
