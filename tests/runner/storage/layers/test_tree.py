"""Tree: directories by an archive's names, whatever links the archive has put there."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from oci.layer import InvalidLayer
from runner.storage.layers import tree as tree_module
from runner.storage.layers.tree import BelowWhiteout, Tree


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


@pytest.fixture
def tree(root: Path) -> Iterator[Tree]:
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    tree = Tree(descriptor, member_limit=10)
    yield tree
    tree.close()
    os.close(descriptor)


def test_missing_directories_are_made_and_remembered(tree: Tree, root: Path) -> None:
    found = tree.parent(b"a/b")

    assert found.path == b"a/b"
    assert (root / "a" / "b").is_dir()
    assert tree.implicit == {b"a", b"a/b"}
    assert found.child(b"c") == b"a/b/c"


def test_a_link_is_followed_inside_the_root_only(tree: Tree, root: Path) -> None:
    (root / "real").mkdir()
    (root / "link").symlink_to("/real")
    (root / "out").symlink_to("../../../../real")

    assert tree.parent(b"link").path == b"real"
    assert tree.parent(b"out").path == b"real"
    assert sorted(os.listdir(root.parent)) == ["root"]


@pytest.mark.parametrize("cleared", [False, True])
def test_a_link_that_was_replaced_is_not_remembered(cleared: bool, tree: Tree, root: Path) -> None:
    (root / "real").mkdir()
    (root / "name").symlink_to("real")
    assert tree.parent(b"name").path == b"real"

    if cleared:
        tree.clear(tree.parent(b""), b"name")
    tree.make(tree.parent(b""), b"name")

    assert tree.parent(b"name").path == b"name"


@pytest.mark.parametrize("name", [b"file", b"file/below", b"loop/x", b"dangling/x"])
def test_a_path_through_another_file_is_refused(name: bytes, tree: Tree, root: Path) -> None:
    (root / "file").touch()
    (root / "loop").symlink_to("loop")
    (root / "dangling").symlink_to("nowhere")

    with pytest.raises(InvalidLayer, match="cannot be a directory"):
        tree.parent(name)


@pytest.mark.parametrize("name", [b"../a", b"a/../../b", b"a/.wh.b/c"])
def test_a_name_that_leaves_or_hides_is_refused(name: bytes, tree: Tree) -> None:
    with pytest.raises(InvalidLayer):
        tree.parent(name)


def test_a_whiteout_crosses_no_link(tree: Tree, root: Path) -> None:
    (root / "real").mkdir()
    (root / "link").symlink_to("real")

    assert tree.strict_parent((b"real",)).path == b"real"
    with pytest.raises(InvalidLayer, match="whiteout crosses the symlink 'link'"):
        tree.strict_parent((b"link",))


def test_a_directory_made_over_a_whiteout_is_opaque(tree: Tree, root: Path) -> None:
    (root / "gone").touch()
    tree.whiteouts.add(b"gone")
    with pytest.raises(BelowWhiteout):
        tree.strict_parent((b"gone", b"below"))

    assert tree.parent(b"gone/below").path == b"gone/below"

    assert (tree.whiteouts, tree.opaque) == (set(), {b"gone"})


def test_a_directory_is_made_once(tree: Tree) -> None:
    above = tree.parent(b"")

    assert tree.make(above, b"d") is True
    assert tree.make(above, b"d") is False


def test_a_cleared_directory_is_forgotten_with_all_below_it(tree: Tree, root: Path) -> None:
    tree.parent(b"d/below")
    tree.parent(b"d-other")
    tree.whiteouts |= {b"d/x", b"dx"}

    tree.clear(tree.parent(b""), b"d")

    assert sorted(os.listdir(root)) == ["d-other"]
    assert tree.implicit == {b"d-other"}
    assert tree.whiteouts == {b"dx"}


def test_directories_are_replaced_a_bounded_number_of_times(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree_module, "_MAX_REPLACED", 2)
    for _ in range(2):
        tree.make(tree.parent(b""), b"d")
        tree.clear(tree.parent(b""), b"d")
    tree.make(tree.parent(b""), b"d")

    with pytest.raises(InvalidLayer, match="layer replaces more than 2 of its directories"):
        tree.clear(tree.parent(b""), b"d")


def test_implicit_directories_are_bounded(tree: Tree) -> None:
    with pytest.raises(InvalidLayer, match="more than 10 implicit directories"):
        tree.parent(b"/".join([b"d"] * 11))


def test_a_missing_directory_is_none_to_a_lookup(tree: Tree, root: Path) -> None:
    (root / "d").mkdir()
    (root / "file").touch()

    found = tree.lookup((b"d",))

    assert found is not None
    assert found.path == b"d"
    os.close(found.descriptor)
    assert tree.lookup((b"absent",)) is None
    assert tree.lookup((b"file", b"x")) is None


def test_descriptors_are_bounded_and_closed(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree_module, "_OPEN_DIRECTORIES", 3)
    before = len(os.listdir("/proc/self/fd"))

    for name in (b"a", b"b", b"c", b"d", b"e"):
        tree.parent(name)
        assert len(os.listdir("/proc/self/fd")) <= before + 5
    tree.close()

    assert len(os.listdir("/proc/self/fd")) == before
