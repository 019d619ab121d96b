"""Directories and their modes."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.linux.directories import make_directory


@pytest.fixture(autouse=True)
def _strict_umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


def mode_of(directory: Path) -> int:
    return directory.stat().st_mode & 0o777


def test_a_directory_has_the_mode_that_was_meant(tmp_path: Path) -> None:
    make_directory(tmp_path / "a" / "b", 0o711)

    assert (mode_of(tmp_path / "a"), mode_of(tmp_path / "a" / "b")) == (0o755, 0o711)


def test_one_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir(mode=0o700)

    make_directory(tmp_path / "a")

    assert mode_of(tmp_path / "a") == 0o700
