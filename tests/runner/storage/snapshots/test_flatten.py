"""Flatten: one directory that shows what overlayfs shows of several."""

import os
import stat
from pathlib import Path

import pytest

from runner.linux.mounts import Mount, mount, unmount
from runner.storage.files.walk import walk
from runner.storage.layers.store import DirectoryLayerStore
from runner.storage.snapshots.flatten import flatten
from tests.support.runner.archives.tar_entries import (
    DIRECTORY,
    archive,
    directory,
    entry,
    hard_link,
    pax,
    symlink,
)

pytestmark = pytest.mark.needs_root

Shown = dict[bytes, tuple[int, int, int, float, bytes | str]]


async def unpacked(root: Path, *archives: bytes) -> list[Path]:
    """Each archive in a directory of its own, the topmost first."""
    layers = DirectoryLayerStore(root / "layers")
    places = []
    for content in archives:
        async with layers.writer(None, "none") as writer:
            await writer.write(content)
            places.append(await layers.directory((await writer.commit()).diff_id))
    return places[::-1]


def tree(root: Path) -> Shown:
    seen: Shown = {}
    for found in walk(root):
        content: bytes | str = b""
        if stat.S_ISREG(found.stat.st_mode):
            content = Path(found.reachable).read_bytes()
        elif stat.S_ISLNK(found.stat.st_mode):
            content = os.readlink(found.reachable)
        status = found.stat
        seen[found.path] = (
            status.st_mode, status.st_uid, status.st_rdev, status.st_mtime, content,
        )  # fmt: skip
    return seen


async def test_a_flattened_stack_shows_what_overlayfs_shows(tmp_path: Path) -> None:
    stack = await unpacked(
        tmp_path,
        archive(
            directory(b"a"), entry(b"a/gone"), entry(b"a/hidden/x"), entry(b"f", content=b"1"),
            entry(b"was-dir/x"), symlink(b"s", b"f"), entry(b"n", b"6"), entry(b"o/old"),
        ),
        archive(
            entry(b"a", DIRECTORY, mode=0o2711, uid=3, mtime=77), entry(b"a/.wh.gone"),
            entry(b".wh.was-dir"), entry(b"f", content=b"22", mode=0o4755), entry(b"was-file"),
            entry(b"o/new"), entry(b"o/.wh..wh..opq"),
        ),
        archive(
            entry(b"a/hidden/y"), directory(b"was-file"), entry(b"was-file/z"),
            entry(b"was-dir", content=b"3"), hard_link(b"l", b"was-dir"),
            pax({b"SCHILY.xattr.user.k": b"v"}), entry(b"k", DIRECTORY, mtime=5),
        ),
    )  # fmt: skip
    place, mounted = tmp_path / "flat", tmp_path / "mounted"
    place.mkdir()
    mounted.mkdir()

    flatten(stack, place)

    mount(Mount("overlay", "overlay", ("ro",), lower=tuple(map(str, stack))), mounted)
    try:
        assert tree(place) == tree(mounted)
    finally:
        unmount(mounted)
    assert os.getxattr(place / "k", "user.k") == b"v"
    assert (place / "l").stat().st_ino == (place / "was-dir").stat().st_ino
