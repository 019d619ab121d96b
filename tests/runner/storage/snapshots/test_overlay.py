"""Layers unpacked apart, stacked: the same tree as extracting one onto the other."""

import asyncio
import os
from pathlib import Path

import pytest

from runner.storage.layers.store import DirectoryLayerStore
from runner.storage.snapshots.overlay import OverlaySnapshotter
from tests.runner.storage.snapshots.conftest import Stack, fixups
from tests.support.runner.archives.tar_entries import (
    DIRECTORY,
    archive,
    directory,
    entry,
    symlink,
)

pytestmark = pytest.mark.needs_root


async def test_a_whiteout_removes_what_is_beneath(stack: Stack) -> None:
    seen = await stack(
        archive(directory(b"d"), entry(b"d/a"), entry(b"d/b")), archive(entry(b"d/.wh.a"))
    )

    assert seen == {"d": "755 0", "d/b": "644 0 "}


async def test_opaque_removes_all_that_is_beneath(stack: Stack) -> None:
    seen = await stack(
        archive(directory(b"a"), directory(b"a/b"), entry(b"a/b/bar"), entry(b"a/x")),
        archive(directory(b"a"), entry(b"a/b/c/foo"), entry(b"a/.wh..wh..opq")),
    )

    assert set(seen) == {"a", "a/b", "a/b/c", "a/b/c/foo"}


async def test_an_opaque_root_removes_everything_beneath(stack: Stack) -> None:
    seen = await stack(archive(entry(b"a")), archive(entry(b".wh..wh..opq"), entry(b"b")))

    assert set(seen) == {"b"}


async def test_a_directory_removed_and_made_anew_shows_nothing_old(stack: Stack) -> None:
    seen = await stack(
        archive(directory(b"d"), entry(b"d/old")), archive(entry(b".wh.d"), entry(b"d/new"))
    )

    assert set(seen) == {"d", "d/new"}


EMPTY = archive()
A = archive(directory(b"d"), entry(b"d/x", content=b"a"), entry(b"i/j/y", content=b"a"))


async def test_the_same_layer_twice_shows_once(stack: Stack) -> None:
    seen = await stack(A, EMPTY, EMPTY)

    assert seen["d/x"] == "644 0 a"


async def test_a_layer_comes_back_over_what_changed_it(stack: Stack) -> None:
    between = archive(entry(b"d/x", content=b"b"), entry(b"d/z"), entry(b"i/.wh.j"))

    seen = await stack(A, between, A)

    assert seen["d/x"] == "644 0 a"
    assert seen["i/j/y"] == "644 0 a"
    assert "d/z" in seen


async def test_a_layer_comes_back_over_its_own_removal(stack: Stack) -> None:
    removal = archive(entry(b".wh.d"), entry(b".wh.i"))

    seen = await stack(A, removal, A, removal)

    assert seen == {}


async def test_a_removal_comes_back_over_the_layer_it_removed(stack: Stack) -> None:
    removal = archive(entry(b".wh.d"))

    seen = await stack(A, removal, A)

    assert seen["d/x"] == "644 0 a"


async def test_a_layers_files_below_a_symlink_stay_when_the_layer_comes_back(
    stack: Stack,
) -> None:
    base = archive(directory(b"usr"), symlink(b"lib", b"usr"))
    files = archive(entry(b"lib/x", content=b"1"))
    replaced = archive(directory(b"lib"), entry(b"lib/.wh..wh..opq"))

    seen = await stack(base, files, replaced, files)

    assert seen["usr/x"] == "644 0 1"
    assert seen["lib/x"] == "644 0 1"


async def test_half_removed_snapshots_are_gone_at_the_next_start(tmp_path: Path) -> None:
    (tmp_path / "snapshots" / ".aside" / "half" / "diff").mkdir(parents=True)

    snapshots = OverlaySnapshotter(tmp_path / "snapshots", DirectoryLayerStore(tmp_path / "layers"))
    await snapshots.recover()

    snapshots.deletions.wait()
    assert os.listdir(tmp_path / "snapshots" / ".aside") == []
    assert await snapshots.keys() == ()


async def test_first_snapshots_of_one_stack_may_be_made_at_once(tmp_path: Path) -> None:
    layers = DirectoryLayerStore(tmp_path / "layers")
    diff_ids = []
    base = archive(*(entry(b"d%d" % n, DIRECTORY, mode=0o700) for n in range(60)))
    for content in (base, archive(*(entry(b"d%d/x" % n) for n in range(60)))):
        async with layers.writer(None, "none") as writer:
            await writer.write(content)
            diff_ids.append((await writer.commit()).diff_id)
    snapshots = OverlaySnapshotter(tmp_path / "snapshots", layers)

    made = await asyncio.gather(*(snapshots.prepare(f"c{n}", diff_ids) for n in range(6)))

    assert len({mounts[0].lower for mounts in made}) == 1
    assert len(fixups(tmp_path)) == 1


async def test_a_file_that_comes_by_two_ways_is_one(stack: Stack) -> None:
    base = archive(directory(b"t"), symlink(b"a", b"t"), symlink(b"b", b"t"))

    seen = await stack(base, archive(entry(b"a/file"), entry(b"b/file")))

    assert seen["t/file"] == "644 0 "
