"""Mount targets inside a root that someone hostile has filled."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.linux.mount_targets import open_target
from runner.linux.mounts import Mount, mount, unmount


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "root" / "etc").mkdir(parents=True)
    (tmp_path / "root" / "etc" / "hosts").touch()
    descriptor = os.open(tmp_path / "root", os.O_PATH | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


def target_of(root: int, path: str, *, directory: bool = True) -> tuple[str, bool]:
    """Where it leads, and whether it was made."""
    found = open_target(root, path, directory=directory)
    os.close(found.descriptor)
    return found.path, found.created


@pytest.mark.parametrize(
    ("links", "path", "leads"),
    [
        ({}, "/etc", "/etc"),
        ({}, "/etc/../../etc/.", "/etc"),
        ({}, "/new/deep/er", "/new/deep/er"),
        ({"a": "/etc"}, "/a", "/etc"),
        ({"a": "../../../etc"}, "/a/x", "/etc/x"),
        ({"a": "b", "b": "/missing"}, "/a/x", "/missing/x"),
        ({"a": "/"}, "/a", "/"),
        ({"a": "/dev"}, "/a", "/dev"),
        ({"a": "/etc/.."}, "/a/dev", "/dev"),
    ],
)
def test_links_lead_where_they_would_inside(
    tmp_path: Path, root: int, links: dict[str, str], path: str, leads: str
) -> None:
    for name, link in links.items():
        (tmp_path / "root" / name).symlink_to(link)

    found, _ = target_of(root, path)

    assert found == leads
    assert (tmp_path / "root" / leads.lstrip("/")).is_dir()
    assert sorted(os.listdir(tmp_path)) == ["root"]


def test_a_missing_target_is_made_whatever_the_umask(tmp_path: Path, root: int) -> None:
    before = os.umask(0o077)
    try:
        made = target_of(root, "/a/b"), target_of(root, "/c/file", directory=False)
    finally:
        os.umask(before)

    assert made == (("/a/b", True), ("/c/file", True))
    modes = {name: (tmp_path / "root" / name).stat().st_mode & 0o777 for name in ("a", "a/b", "c")}
    assert modes == {"a": 0o755, "a/b": 0o755, "c": 0o755}
    assert (tmp_path / "root" / "c" / "file").stat().st_mode & 0o777 == 0o644
    assert target_of(root, "/a/b") == ("/a/b", False)


def test_a_circle_of_links_is_refused(tmp_path: Path, root: int) -> None:
    (tmp_path / "root" / "a").symlink_to("b")
    (tmp_path / "root" / "b").symlink_to("a")

    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        target_of(root, "/a")


@pytest.mark.parametrize(("path", "directory"), [("/etc/hosts", True), ("/etc", False)])
def test_a_file_and_a_directory_are_not_mounted_on_each_other(
    root: int, path: str, directory: bool
) -> None:
    with pytest.raises((NotADirectoryError, IsADirectoryError)):
        target_of(root, path, directory=directory)


@pytest.mark.needs_root
def test_an_earlier_mount_is_seen_with_its_links(tmp_path: Path, root: int) -> None:
    (tmp_path / "volume").mkdir()
    (tmp_path / "volume" / "sub").symlink_to("/dev")
    place = tmp_path / "root" / "etc"
    mount(Mount("", str(tmp_path / "volume"), ("bind",)), place)
    try:
        assert target_of(root, "/etc/sub")[0] == "/dev"
        assert target_of(root, "/etc/hosts")[0] == "/etc/hosts"
    finally:
        unmount(place)
    assert (tmp_path / "volume" / "hosts").is_dir()
