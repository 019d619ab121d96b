"""Walks of trees that a container made: in order, however deep."""

import os
import stat
from pathlib import Path

import pytest

from runner.storage.files.deletion import remove
from runner.storage.files.walk import walk
from tests.runner.storage.files.test_deletion import nest


def paths(root: Path) -> list[bytes]:
    return [entry.path for entry in walk(root)]


def test_parents_come_first_and_names_in_order(tmp_path: Path) -> None:
    (tmp_path / "b" / "c").mkdir(parents=True)
    for name in ("b/z", "b/c/file", "a"):
        (tmp_path / name).touch()

    assert paths(tmp_path) == [b"a", b"b", b"b/c", b"b/c/file", b"b/z"]


def test_a_link_is_an_entry_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "up").symlink_to(tmp_path)

    assert paths(tmp_path) == [b"below", b"below/up"]


def test_names_need_not_be_text(tmp_path: Path) -> None:
    os.close(os.open(os.fsencode(tmp_path) + b"/\xff\n", os.O_CREAT))

    found = [(entry.path, os.path.lexists(entry.reachable)) for entry in walk(tmp_path)]

    assert found == [(b"\xff\n", True)]


def test_a_tree_deeper_than_paths_and_stacks_is_walked(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    nest(tmp_path / "tree", 1500)

    assert len(paths(tmp_path)) == 1501

    # pytest's own removal would recurse.
    remove(tmp_path / "tree")


def test_each_directory_is_open_for_its_entries(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "file").write_text("content")

    contents = [
        Path(entry.reachable).read_text()
        for entry in walk(tmp_path)
        if stat.S_ISREG(entry.stat.st_mode)
    ]

    assert contents == ["content"]


@pytest.mark.needs_root
def test_whiteouts_come_first(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    os.mknod(tmp_path / "z", stat.S_IFCHR, os.makedev(0, 0))
    os.mknod(tmp_path / "m", stat.S_IFCHR, os.makedev(1, 3))

    entries = list(walk(tmp_path))

    assert [entry.path for entry in entries] == [b"z", b"a", b"m"]
    assert [entry.is_whiteout for entry in entries] == [True, False, False]
