"""Rootfs: which mounts are refused before the runtime sees them; the rest is seen in containers."""

import os
from pathlib import Path
from typing import Any

import pytest

from runner.errors import BadRequest
from runner.runtime.rootfs import check_kernel_directories, check_runtime_mounts


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
def test_what_is_not_the_null_device_is_not_mounted_as_one(
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


def test_what_is_not_there_yet_is_made_by_the_runtime(tmp_path: Path) -> None:
    check_runtime_mounts([a_bind(tmp_path, "/dev/outer"), a_bind(tmp_path, "/dev/outer/new/x")])
