"""Fixups: what a layer leaves undescribed is as beneath it, and a link leads where it would."""

import os
import stat
from pathlib import Path

import pytest

from oci.layer import InvalidLayer
from runner.storage.layers.store import DirectoryLayerStore
from runner.storage.snapshots.overlay import OverlaySnapshotter
from tests.runner.storage.snapshots.conftest import Stack, fixups
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


A = archive(directory(b"d"), entry(b"d/x", content=b"a"), entry(b"i/j/y", content=b"a"))


async def test_a_hard_link_to_a_layer_that_comes_again_is_the_first_ones(stack: Stack) -> None:
    seen = await stack(A, archive(hard_link(b"l", b"d/x")), A)

    assert seen["l"] == "644 0 a"


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
