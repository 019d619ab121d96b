"""Layers unpacked apart, stacked: the same tree as extracting one onto the other."""

import asyncio
import os
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from oci.layer import InvalidLayer
from runner.linux.mounts import mount, unmount
from runner.storage.files.walk import walk
from runner.storage.layers.store import DirectoryLayerStore
from runner.storage.snapshots.overlay import OverlaySnapshotter
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


async def test_an_undescribed_directory_keeps_its_attributes(stack: Stack) -> None:
    base = archive(
        entry(b"srv", DIRECTORY, mode=0o2750, uid=33),
        entry(b"srv/app", DIRECTORY, mode=0o700, uid=44),
        directory(b"plain"),
    )

    seen = await stack(base, archive(entry(b"srv/app/x"), entry(b"plain/y"), entry(b"new/z")))

    assert seen["srv"] == "2750 33"
    assert seen["srv/app"] == "700 44"
    assert seen["plain"] == "755 0"
    assert seen["new"] == "755 0"
    assert {"srv/app/x", "plain/y", "new/z"} < set(seen)


async def test_attributes_are_those_of_the_nearest_layer_beneath(stack: Stack) -> None:
    seen = await stack(
        archive(entry(b"d", DIRECTORY, mode=0o700)),
        archive(entry(b"d", DIRECTORY, mode=0o711)),
        archive(entry(b"d/x")),
        archive(entry(b"d/y")),
    )

    assert seen["d"] == "711 0"


async def test_a_directory_removed_beneath_has_no_attributes_to_give(stack: Stack) -> None:
    seen = await stack(
        archive(entry(b"d", DIRECTORY, mode=0o700), entry(b"d/old")),
        archive(entry(b".wh.d")),
        archive(entry(b"d/x")),
    )

    assert seen == {"d": "755 0", "d/x": "644 0 "}


async def test_extended_attributes_are_kept_too(stack: Stack, tmp_path: Path) -> None:
    await stack(
        archive(pax({b"SCHILY.xattr.user.a": b"1"}), directory(b"d")), archive(entry(b"d/x"))
    )

    (fixup,) = fixups(tmp_path)
    assert os.getxattr(fixup / "d", "user.a") == b"1"


async def test_files_below_a_symlink_go_where_it_points(stack: Stack) -> None:
    base = archive(
        directory(b"usr"),
        entry(b"usr/lib", DIRECTORY, mode=0o711),
        entry(b"usr/lib/old"),
        symlink(b"lib", b"usr/lib"),
        symlink(b"lib64", b"/lib"),
    )
    top = archive(
        entry(b"lib/x", content=b"x"),
        entry(b"lib64/d/y", content=b"y"),
        entry(b"lib/d", DIRECTORY, mode=0o700),
        entry(b"lib/.wh.old"),
    )

    seen = await stack(base, top)

    assert seen["lib"] == "-> usr/lib"
    assert seen["lib64"] == "-> /lib"
    assert seen["usr/lib"] == "711 0"
    assert seen["usr/lib/x"] == "644 0 x"
    assert seen["usr/lib/d/y"] == "644 0 y"
    assert "usr/lib/old" not in seen


async def test_files_below_a_symlink_to_nowhere_are_refused(stack: Stack) -> None:
    with pytest.raises(InvalidLayer, match="symlink to nowhere"):
        await stack(archive(symlink(b"lib", b"../../../tmp/none")), archive(entry(b"lib/x")))


async def test_a_symlink_beneath_does_not_lead_out(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    target = os.fsencode(tmp_path / "outside")

    with pytest.raises(InvalidLayer, match="symlink to nowhere"):
        await stack(archive(symlink(b"lib", target)), archive(entry(b"lib/x")))
    assert os.listdir(tmp_path / "outside") == []


async def test_a_loop_of_symlinks_beneath_is_refused(stack: Stack) -> None:
    base = archive(symlink(b"a", b"b"), symlink(b"b", b"a"))

    with pytest.raises(InvalidLayer, match="symlink to nowhere"):
        await stack(base, archive(entry(b"a/x")))


async def test_a_described_directory_replaces_a_symlink(stack: Stack) -> None:
    seen = await stack(
        archive(directory(b"usr"), symlink(b"lib", b"usr")),
        archive(directory(b"lib"), entry(b"lib/x")),
    )

    assert seen["lib"] == "755 0"
    assert "lib/x" in seen


async def test_a_hard_link_to_a_lower_layer(stack: Stack) -> None:
    seen = await stack(
        archive(entry(b"a", content=b"1", mode=0o600), symlink(b"s", b"a")),
        archive(hard_link(b"d/b", b"a"), hard_link(b"t", b"s"), entry(b".wh.a")),
    )

    assert seen == {"d": "755 0", "d/b": "600 0 1", "s": "-> a", "t": "-> a"}


@pytest.mark.parametrize("base", [archive(entry(b"x")), archive(directory(b"a")), archive()])
async def test_a_hard_link_to_nothing_is_refused(base: bytes, stack: Stack) -> None:
    with pytest.raises(InvalidLayer, match="which no layer has"):
        await stack(base, archive(hard_link(b"b", b"a")))


async def test_a_hard_link_beneath_nothing_is_refused(stack: Stack) -> None:
    with pytest.raises(InvalidLayer, match="which no lower layer has"):
        await stack(archive(hard_link(b"b", b"a")))


async def test_an_adjustment_is_made_once_and_goes_with_its_layer(
    stack: Stack, tmp_path: Path
) -> None:
    await stack(archive(entry(b"d", DIRECTORY, mode=0o700)), archive(entry(b"d/x")))
    (fixup,) = fixups(tmp_path)
    layers = DirectoryLayerStore(tmp_path / "layers")
    snapshots = OverlaySnapshotter(tmp_path / "snapshots", layers)

    before = fixup.stat().st_ino
    mounts = await snapshots.mounts("c1")

    assert mounts[0].lower[0] == str(fixup)
    assert fixup.stat().st_ino == before
    for diff_id in tuple(layers.diff_ids()):
        await layers.remove(diff_id)
    assert not fixup.exists()


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


async def test_a_hard_link_to_a_layer_that_comes_again_is_the_first_ones(stack: Stack) -> None:
    seen = await stack(A, archive(hard_link(b"l", b"d/x")), A)

    assert seen["l"] == "644 0 a"


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


@pytest.mark.parametrize("described", [False, True])
async def test_a_symlink_placed_by_a_fixup_is_not_followed_on_this_host(
    stack: Stack, tmp_path: Path, described: bool
) -> None:
    """Two ways to one directory, of which the first leaves a symlink for the second to walk."""
    decoy = tmp_path / "decoy"
    decoy.mkdir(mode=0o700)
    inside = os.fsencode(str(decoy)).lstrip(b"/")
    base = archive(
        directory(b"b"), symlink(b"b/x", b"/" + inside), directory(inside), symlink(b"s", b"b")
    )
    more = [entry(b"s/x", DIRECTORY, mode=0o777)] if described else []

    seen = await stack(base, archive(entry(b"b/x/first"), *more, entry(b"s/x/second")))

    place = os.fsdecode(inside)
    assert list(decoy.iterdir()) == []
    assert stat.S_IMODE(decoy.stat().st_mode) == 0o700
    assert {f"{place}/first", f"{place}/second"} < set(seen)
    assert seen["b/x"] == f"-> {decoy}"


async def test_a_file_that_comes_by_two_ways_is_one(stack: Stack) -> None:
    base = archive(directory(b"t"), symlink(b"a", b"t"), symlink(b"b", b"t"))

    seen = await stack(base, archive(entry(b"a/file"), entry(b"b/file")))

    assert seen["t/file"] == "644 0 "
