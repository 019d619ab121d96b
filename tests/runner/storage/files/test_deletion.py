"""Deletion of trees that a container made: deep, linked, unreadable."""

import os
import threading
from pathlib import Path

import pytest

from runner.storage.files import deletion
from runner.storage.files.deletion import DeletionQueue, remove


def nest(place: Path, depth: int) -> None:
    """Directories in each other, deeper than a path may be long."""
    current = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    for _ in range(depth):
        os.mkdir("d" * 100, dir_fd=current)
        following = os.open("d" * 100, os.O_RDONLY | os.O_DIRECTORY, dir_fd=current)
        os.close(current)
        current = following
    os.close(current)


def test_a_tree_deeper_than_paths_and_stacks_is_removed(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    nest(tmp_path / "tree", 1500)

    remove(tmp_path / "tree")

    assert os.listdir(tmp_path) == []


def test_a_link_is_removed_and_its_target_stays(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").touch()
    (tmp_path / "tree" / "below").mkdir(parents=True)
    (tmp_path / "tree" / "below" / "link").symlink_to(tmp_path / "outside")
    os.mkfifo(tmp_path / "tree" / "fifo")

    remove(tmp_path / "tree")

    assert os.listdir(tmp_path) == ["outside"]
    assert os.listdir(tmp_path / "outside") == ["file"]


def test_a_link_in_the_place_of_the_tree_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "tree").symlink_to(tmp_path / "outside")

    with pytest.raises(OSError, match="tree"):
        remove(tmp_path / "tree")

    assert (tmp_path / "outside").is_dir()


def test_a_directory_without_permissions_is_removed(tmp_path: Path) -> None:
    (tmp_path / "tree" / "closed" / "below").mkdir(parents=True)
    (tmp_path / "tree" / "closed").chmod(0)

    remove(tmp_path / "tree")

    assert os.listdir(tmp_path) == []


def test_a_missing_tree_is_no_error(tmp_path: Path) -> None:
    remove(tmp_path / "tree")


def test_a_queue_goes_on_after_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [threading.current_thread().name]
    (tmp_path / "second").mkdir()

    def failing(path: Path) -> None:
        names.append(threading.current_thread().name)
        if path.name == "first":
            raise OSError(5, "Input/output error")
        remove(path)

    monkeypatch.setattr(deletion, "remove", failing)
    queue = DeletionQueue()
    queue.put(tmp_path / "first")
    queue.put(tmp_path / "second")
    queue.wait()

    assert os.listdir(tmp_path) == []
    assert names[1:] == ["deletions", "deletions"]
