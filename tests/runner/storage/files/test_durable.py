"""Durable writes: each step that a power cut could forget, in its order."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner.storage.files.durable import open_directory, publish, sync_filesystem, write_atomically


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The calls that matter, as they are made."""
    made: list[str] = []

    def noted(name: str) -> Callable[..., Any]:
        call = getattr(os, name)

        def step(*arguments: Any) -> Any:
            target = os.readlink(f"/proc/self/fd/{arguments[0]}") if name == "fsync" else "rename"
            made.append(os.path.basename(target).partition(".new")[0].lstrip("."))
            return call(*arguments)

        return step

    for name in ("fsync", "rename"):
        monkeypatch.setattr(os, name, noted(name))
    return made


def test_a_file_is_synced_then_renamed_then_its_directory_synced(
    tmp_path: Path, steps: list[str]
) -> None:
    place = tmp_path / "state"
    place.write_bytes(b"old")

    write_atomically(place, b"new")

    assert place.read_bytes() == b"new"
    assert [step.partition(".")[0] for step in steps] == ["state", "rename", tmp_path.name]
    assert os.listdir(tmp_path) == ["state"]


def test_a_failed_write_leaves_the_old_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "state"
    place.write_bytes(b"old")

    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output error"):
        write_atomically(place, b"new")

    assert place.read_bytes() == b"old"


def test_a_published_directory_is_whole_at_its_place(tmp_path: Path, steps: list[str]) -> None:
    (tmp_path / "temporary" / "below").mkdir(parents=True)

    publish(tmp_path / "temporary", tmp_path / "place")

    assert os.listdir(tmp_path / "place") == ["below"]
    assert steps == ["rename", tmp_path.name]


def test_a_file_system_is_synced_and_a_missing_path_is_an_error(tmp_path: Path) -> None:
    sync_filesystem(tmp_path)

    with pytest.raises(FileNotFoundError):
        sync_filesystem(tmp_path / "missing")


def test_a_descriptor_means_the_same_directory_after_a_rename(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()

    with open_directory(tmp_path / "old") as descriptor:
        (tmp_path / "old").rename(tmp_path / "new")
        os.mkdir("below", dir_fd=descriptor)

    assert (tmp_path / "new" / "below").is_dir()
