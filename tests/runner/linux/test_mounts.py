"""Mounts, made and taken away by the kernel itself."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.linux.mounts import Mount, mount, unmount
from tests.support.mounts import is_mounted


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "place"
    place.mkdir()
    yield place
    unmount(place)


def overlay(tmp_path: Path, lower: tuple[Path, ...], *extra: str) -> Mount:
    (tmp_path / "upper").mkdir()
    (tmp_path / "work").mkdir()
    options = (f"upperdir={tmp_path}/upper", f"workdir={tmp_path}/work", *extra)
    return Mount("overlay", "overlay", options, lower=tuple(map(str, lower)))


def layers(directory: Path, count: int) -> tuple[Path, ...]:
    """Directories with a file each, the topmost first."""
    made = []
    for index in range(count):
        layer = directory / f"layer-{index:03}"
        layer.mkdir(parents=True)
        (layer / f"file-{index:03}").touch()
        made.append(layer)
    return tuple(made[::-1])


@pytest.mark.needs_root
def test_a_bind_shows_its_source(tmp_path: Path, place: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "file").write_bytes(b"1")

    mount(Mount("bind", str(tmp_path / "source"), ("bind",)), place)

    assert (place / "file").read_bytes() == b"1"
    assert is_mounted(place)


@pytest.mark.needs_root
def test_a_bind_can_be_read_only(tmp_path: Path, place: Path) -> None:
    (tmp_path / "source").mkdir()

    mount(Mount("bind", str(tmp_path / "source"), ("rbind", "ro", "rprivate")), place)

    with pytest.raises(OSError, match="Read-only"):
        (place / "file").touch()


@pytest.mark.needs_root
def test_a_target_is_relative_to_the_place(place: Path) -> None:
    (place / "run").mkdir()

    mount(Mount("tmpfs", "tmpfs", ("size=64k", "nosuid"), target="run"), place)

    assert is_mounted(place / "run")
    unmount(place / "run")
    assert not is_mounted(place / "run")


@pytest.mark.needs_root
def test_an_overlay_of_a_hundred_layers_with_long_names(tmp_path: Path, place: Path) -> None:
    """Their paths exceed the page that mount(2) takes."""
    lower = layers(tmp_path / ("n" * 200), 128)

    mount(overlay(tmp_path, lower), place)

    assert len(os.listdir(place)) == 128


@pytest.mark.needs_root
def test_layers_in_a_directory_with_a_colon(tmp_path: Path, place: Path) -> None:
    lower = layers(tmp_path / "a:b,c", 2)

    mount(overlay(tmp_path, lower), place)

    assert sorted(os.listdir(place)) == ["file-000", "file-001"]


@pytest.mark.needs_root
def test_the_first_layer_is_on_top(tmp_path: Path, place: Path) -> None:
    lower = layers(tmp_path, 2)
    for layer in lower:
        (layer / "same").write_text(layer.name)

    mount(overlay(tmp_path, lower), place)

    assert (place / "same").read_text() == "layer-001"


def test_more_layers_than_an_overlay_takes_are_refused(tmp_path: Path, place: Path) -> None:
    lower = tuple(tmp_path / str(index) for index in range(129))

    with pytest.raises(ValueError, match="129 layers"):
        mount(overlay(tmp_path, lower), place)


@pytest.mark.needs_root
def test_no_descriptor_stays_open(tmp_path: Path, place: Path) -> None:
    before = os.listdir("/proc/self/fd")

    mount(overlay(tmp_path, layers(tmp_path / ("n" * 200), 64)), place)

    assert os.listdir("/proc/self/fd") == before


@pytest.mark.needs_root
def test_a_busy_mount_is_detached(place: Path) -> None:
    mount(Mount("tmpfs", "tmpfs"), place)
    (place / "file").write_bytes(b"1")

    with open(place / "file", "rb") as held:
        unmount(place, timeout_seconds=0.02)

        assert not is_mounted(place)
        assert held.read() == b"1"


def test_unmounting_nothing_is_no_error(tmp_path: Path) -> None:
    unmount(tmp_path / "nowhere")


@pytest.mark.needs_root
def test_unmounting_a_plain_directory_is_no_error(place: Path) -> None:
    unmount(place)

    assert place.is_dir()


@pytest.mark.needs_root
def test_a_place_with_spaces_is_found(tmp_path: Path) -> None:
    place = tmp_path / "a b\tc"
    place.mkdir()
    mount(Mount("tmpfs", "tmpfs"), place)

    try:
        assert is_mounted(place)
    finally:
        unmount(place)


@pytest.mark.needs_root
def test_the_kernels_refusal_names_the_place(tmp_path: Path, place: Path) -> None:
    with pytest.raises(OSError, match=str(place)):
        mount(Mount("no-such-filesystem", "none"), place)
