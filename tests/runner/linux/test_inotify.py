"""FileWatch: a change of a file, and the news of a file that is yet to come."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.linux.inotify import FileWatch


def grow(path: Path) -> None:
    with path.open("a") as file:
        file.write("x")


def replace(path: Path) -> None:
    path.rename(path.with_name("old"))
    path.touch()


@pytest.mark.parametrize("change", [grow, replace, Path.unlink])
async def test_a_change_of_the_file_ends_the_wait(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    path = tmp_path / "log"
    path.touch()
    watch = FileWatch(path)

    change(path)

    await asyncio.wait_for(watch.wait(), 60)
    watch.close()


async def test_a_file_may_be_watched_before_it_is_there(tmp_path: Path) -> None:
    watch = FileWatch(tmp_path / "log")

    (tmp_path / "log").touch()

    await asyncio.wait_for(watch.wait(), 60)
    watch.close()
    watch.close()
