"""Mounts on descriptors, as the kernel makes them."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.linux.mount_tree import Bind, bind
from runner.linux.mounts import Mount, mount, mount_on, unmount

pytestmark = pytest.mark.needs_root


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Path]:
    """A directory with another file system below it."""
    source = tmp_path / "source"
    (source / "below").mkdir(parents=True)
    mount(Mount("tmpfs", "tmpfs", ("nosuid",)), source / "below")
    (source / "below" / "file").touch()
    yield source
    unmount(source / "below")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "place"
    place.mkdir()
    yield place
    unmount(place, timeout_seconds=0)


def bind_at(place: Path, wanted: Bind) -> None:
    target = os.open(place, os.O_PATH | os.O_DIRECTORY)
    try:
        bind(wanted, target)
    finally:
        os.close(target)


def test_a_bind_takes_what_is_mounted_below_with_it(source: Path, place: Path) -> None:
    bind_at(place, Bind(str(source)))

    assert (place / "below" / "file").exists()
    (place / "new").touch()
    assert (source / "new").exists()


def test_a_bind_of_the_directory_alone_leaves_it_out(source: Path, place: Path) -> None:
    bind_at(place, Bind(str(source), recursive=False))

    assert not (place / "below" / "file").exists()


@pytest.mark.parametrize("deep", [False, True])
def test_a_read_only_bind_keeps_the_restrictions_of_its_source(
    source: Path, place: Path, deep: bool
) -> None:
    bind_at(place, Bind(str(source), read_only=True, deep_read_only=deep))

    with pytest.raises(OSError, match="Read-only file system"):
        (place / "new").touch()
    below = os.statvfs(place / "below").f_flag
    assert bool(below & os.ST_RDONLY) is deep
    assert below & os.ST_NOSUID
    (source / "new").touch()


def test_the_target_is_the_directory_that_was_opened(source: Path, place: Path) -> None:
    target = os.open(place, os.O_PATH | os.O_DIRECTORY)
    try:
        place.rename(place.with_name("moved"))
        place.mkdir()
        bind(Bind(str(source)), target)

        assert os.listdir(place) == []
        assert (place.with_name("moved") / "below").is_dir()
    finally:
        os.close(target)
        unmount(place.with_name("moved"), timeout_seconds=0)


def test_a_new_file_system_is_mounted_on_a_descriptor(place: Path) -> None:
    target = os.open(place, os.O_PATH | os.O_DIRECTORY)
    try:
        mount_on(Mount("tmpfs", "tmpfs", ("mode=700", "noexec")), target)
    finally:
        os.close(target)

    assert place.stat().st_mode & 0o777 == 0o700
    assert os.statvfs(place).f_flag & os.ST_NOEXEC


@pytest.mark.parametrize("word", ["bind", "remount", "shared"])
def test_no_other_kind_of_mount_is_made_by_an_option(place: Path, word: str) -> None:
    with pytest.raises(ValueError, match="not options of a new file system"):
        mount_on(Mount("tmpfs", "tmpfs", (word,)), 0)
