"""The Mounter contract, on every implementation: mounts of the kernel, and links."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner.errors import BadRequest
from runner.linux.mounts import Mount
from runner.runtime.contract import Mounter
from runner.runtime.mounter import KernelMounter
from tests.support.runner.links import LinkMounter

MOUNTERS: dict[str, Callable[[], Mounter]] = {"kernel": KernelMounter, "links": LinkMounter}
PROC = {"destination": "/proc", "type": "proc", "source": "proc"}


@pytest.fixture(params=[pytest.param("kernel", marks=pytest.mark.needs_root), "links"])
def mounter(request: pytest.FixtureRequest) -> Mounter:
    return MOUNTERS[request.param]()


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    (tmp_path / "snapshot").mkdir()
    (tmp_path / "snapshot" / "file").write_text("content")
    return tmp_path / "snapshot"


@pytest.fixture
def rootfs(tmp_path: Path, mounter: Mounter) -> Any:
    place = tmp_path / "rootfs"
    place.mkdir()
    yield place
    mounter.unmount(place)


def bind_of(snapshot: Path) -> list[Mount]:
    return [Mount("", str(snapshot), ("bind", "rw"))]


def test_a_mounted_rootfs_shows_its_snapshot_and_is_empty_after_unmount(
    mounter: Mounter, snapshot: Path, rootfs: Path
) -> None:
    mounter.mount(bind_of(snapshot), rootfs)
    shown = (rootfs / "file").read_text()
    (rootfs / "new").touch()

    mounter.unmount(rootfs)

    assert shown == "content"
    assert (rootfs.is_symlink(), os.listdir(rootfs)) == (False, [])
    assert sorted(os.listdir(snapshot)) == ["file", "new"]


def test_unmount_may_be_repeated_and_comes_before_any_mount(
    mounter: Mounter, snapshot: Path, rootfs: Path
) -> None:
    mounter.unmount(rootfs)
    mounter.mount(bind_of(snapshot), rootfs)
    mounter.unmount(rootfs)
    mounter.unmount(rootfs)

    assert os.listdir(rootfs) == []
    mounter.mount(bind_of(snapshot), rootfs)
    assert os.listdir(rootfs) == ["file"]


def test_mounts_of_the_kernel_are_left_to_the_runtime(
    mounter: Mounter, snapshot: Path, rootfs: Path
) -> None:
    tmpfs = {"destination": "/srv", "type": "tmpfs", "source": "tmpfs", "options": []}
    (snapshot / "srv").mkdir()
    mounter.mount(bind_of(snapshot), rootfs)

    spec = mounter.mount_inside(rootfs, {"hostname": "box", "mounts": [tmpfs, PROC]})

    assert spec == {"hostname": "box", "mounts": [PROC]}


def test_after_unmount_inside_the_snapshot_is_still_shown(
    mounter: Mounter, snapshot: Path, rootfs: Path
) -> None:
    mounter.mount(bind_of(snapshot), rootfs)
    mounter.mount_inside(rootfs, {"mounts": []})

    mounter.unmount_inside(rootfs)

    assert os.listdir(rootfs) == ["file"]


def test_a_start_that_was_cut_off_is_undone_by_one_unmount(
    mounter: Mounter, snapshot: Path, rootfs: Path
) -> None:
    mounter.mount(bind_of(snapshot), rootfs)
    mounter.mount_inside(rootfs, {"mounts": []})

    mounter.unmount(rootfs)

    assert os.listdir(rootfs) == []


def test_an_image_whose_proc_is_a_link_is_refused(
    mounter: Mounter, snapshot: Path, rootfs: Path
) -> None:
    (snapshot / "proc").symlink_to("/etc")
    mounter.mount(bind_of(snapshot), rootfs)

    with pytest.raises(BadRequest, match="/proc is a link, expected a directory"):
        mounter.mount_inside(rootfs, {"mounts": [PROC]})
