"""Rootfs: which mounts are refused before the runtime sees them; the rest is seen in containers."""

import os
from pathlib import Path
from typing import Any

import pytest

from runner.errors import BadRequest
from runner.linux.mounts import Mount, mount, unmount
from runner.runtime.rootfs import check_kernel_directories, check_runtime_mounts, mount_all


def a_bind(source: Path | str, destination: str) -> dict[str, Any]:
    return {"destination": destination, "type": "bind", "source": str(source), "options": []}


@pytest.mark.parametrize("name", ["dev", "proc", "sys"])
@pytest.mark.parametrize("target", ["/", "../../..", "etc", "nowhere", "dev"])
def test_a_link_where_the_runtime_mounts_is_refused(tmp_path: Path, name: str, target: str) -> None:
    (tmp_path / name).symlink_to(target)

    with pytest.raises(BadRequest, match=f"/{name} is a link, expected a directory"):
        check_kernel_directories(tmp_path)


def test_directories_of_the_kernel_may_be_there_or_not(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()

    check_kernel_directories(tmp_path)


def test_the_hosts_own_dev_is_taken_as_one() -> None:
    check_runtime_mounts([a_bind("/dev", "/dev"), a_bind("/dev/null", "/dev/null")])


@pytest.mark.parametrize("content", ["file", "link"])
@pytest.mark.parametrize("target", ["/dev", "/dev/null"])
def test_another_file_than_the_null_device_is_not_mounted_as_one(
    tmp_path: Path, content: str, target: str
) -> None:
    null = tmp_path / "null"
    null.touch() if content == "file" else null.symlink_to("/dev/null")

    with pytest.raises(BadRequest, match=f"/dev/null is a {content}, expected the device 1:3"):
        check_runtime_mounts([a_bind(tmp_path if target == "/dev" else null, target)])


@pytest.mark.parametrize("below", ["inner", "a/inner", "inner/a"])
def test_no_mount_follows_a_link_in_a_bind_below_dev(tmp_path: Path, below: str) -> None:
    (tmp_path / "a").mkdir()
    for place in (tmp_path, tmp_path / "a"):
        (place / "inner").symlink_to(os.fspath(tmp_path))
    entries = [a_bind(tmp_path, "/dev/outer"), a_bind(tmp_path, f"/dev/outer/{below}")]

    with pytest.raises(BadRequest, match=f"mount target /dev/outer/{below} has a link in it"):
        check_runtime_mounts(entries)


def test_a_missing_mount_point_is_made_by_the_runtime(tmp_path: Path) -> None:
    check_runtime_mounts([a_bind(tmp_path, "/dev/outer"), a_bind(tmp_path, "/dev/outer/new/x")])


def mounted(rootfs: Path, file: Path) -> str:
    """Content of /etc/resolv.conf once ``file`` is mounted there."""
    spec = {"mounts": [a_bind(file, "/etc/resolv.conf")]}
    mount_all(rootfs, spec)
    try:
        return (rootfs / "etc/resolv.conf").read_text()
    finally:
        unmount(rootfs / "etc/resolv.conf")


@pytest.fixture
def rootfs(tmp_path: Path) -> Path:
    (tmp_path / "rootfs" / "etc").mkdir(parents=True)
    return tmp_path / "rootfs"


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    ours = tmp_path / "resolv.conf"
    ours.write_text("ours")
    return ours


@pytest.mark.needs_root
@pytest.mark.parametrize("target", ["resolv.conf", "/etc", "../../../tmp"])
def test_our_file_takes_the_place_of_a_link_that_leads_to_no_file(
    rootfs: Path, ours: Path, target: str
) -> None:
    (rootfs / "tmp").mkdir()
    (rootfs / "etc/resolv.conf").symlink_to(target)

    assert mounted(rootfs, ours) == "ours"

    assert not (rootfs / "etc/resolv.conf").is_symlink()


@pytest.mark.needs_root
def test_a_directory_in_place_of_our_file_is_refused(rootfs: Path, ours: Path) -> None:
    (rootfs / "etc/resolv.conf").mkdir()

    with pytest.raises(BadRequest, match=r"cannot mount .* at /etc/resolv.conf"):
        mount_all(rootfs, {"mounts": [a_bind(ours, "/etc/resolv.conf")]})


@pytest.mark.needs_root
def test_a_link_that_a_mount_brought_is_left_alone(
    rootfs: Path, ours: Path, tmp_path: Path
) -> None:
    host = tmp_path / "host"
    host.mkdir()
    (host / "resolv.conf").symlink_to("resolv.conf")
    mount(Mount("", str(host), ("bind",)), rootfs / "etc")

    try:
        with pytest.raises(BadRequest, match=r"resolv\.conf"):
            mount_all(rootfs, {"mounts": [a_bind(ours, "/etc/resolv.conf")]})
    finally:
        unmount(rootfs / "etc")

    assert os.readlink(host / "resolv.conf") == "resolv.conf"
