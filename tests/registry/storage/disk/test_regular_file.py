"""Opening a file of the root does not block, and follows no link."""

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from registry.storage.disk.regular_file import (
    DirectoryUnusable,
    NotRegular,
    open_cached,
    open_regular,
    size_of,
)


def a_link(path: Path) -> None:
    path.with_name("target").write_bytes(b"elsewhere")
    path.symlink_to("target")


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


def a_device(path: Path) -> None:
    path.symlink_to("/dev/null")


OTHERS: dict[str, Callable[[Path], None]] = {
    "fifo": os.mkfifo,
    "directory": os.mkdir,
    "link": a_link,
    "link to a device": a_device,
    "socket": a_socket,
}


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path("file")


@pytest.mark.parametrize("access", [os.O_RDONLY, os.O_WRONLY, os.O_RDWR])
@pytest.mark.parametrize("make", OTHERS.values(), ids=OTHERS.keys())
def test_anything_else_is_refused_at_once(
    path: Path, make: Callable[[Path], None], access: int
) -> None:
    make(path)

    with pytest.raises(NotRegular, match="not a regular file"):
        open_regular(path, access)


@pytest.mark.parametrize("make", OTHERS.values(), ids=OTHERS.keys())
def test_anything_else_has_no_size(
    path: Path, make: Callable[[Path], None], tmp_path: Path
) -> None:
    make(path)
    directory = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)

    try:
        assert size_of("file", directory) is None
        assert size_of("missing", directory) is None
    finally:
        os.close(directory)


def test_a_regular_file_is_opened_relative_to_a_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    directory = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fd = open_regular("file", os.O_RDONLY, directory=directory)
    finally:
        os.close(directory)

    with open(fd, "rb") as file:
        assert file.read() == b"content"


def test_a_file_that_is_missing_is_no_other_thing(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_regular(path, os.O_RDONLY)


def test_a_link_on_the_way_below_the_directory_is_not_followed(root: int, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "file").write_bytes(b"12")
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "link").symlink_to(tmp_path / "elsewhere")

    for use in (size_of, opened):
        with pytest.raises(DirectoryUnusable, match="its directory parts/link is no directory"):
            use("parts/link/file", root)


def test_a_directory_that_is_missing_is_named(root: int) -> None:
    for use in (size_of, opened):
        with pytest.raises(DirectoryUnusable, match="its directory parts/ab is missing"):
            use("parts/ab/file", root)


def test_a_file_some_directories_down_is_opened(root: int, tmp_path: Path) -> None:
    (tmp_path / "parts" / "ab").mkdir(parents=True)
    (tmp_path / "parts" / "ab" / "file").write_bytes(b"12")
    before = os.listdir("/proc/self/fd")

    assert size_of("parts/ab/file", root) == 2
    assert opened("parts/ab/file", root) == b"12"

    assert len(os.listdir("/proc/self/fd")) == len(before)


def test_a_file_in_memory_is_opened_without_blocking(root: int, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12")

    found = open_cached("file", root)

    assert found is not None
    fd, status = found
    with open(fd, "rb") as file:
        assert (file.read(), status.st_size) == (b"12", 2)


@pytest.mark.parametrize("make", OTHERS.values(), ids=OTHERS.keys())
def test_anything_else_is_not_opened_without_blocking(
    root: int, make: Callable[[Path], None], path: Path
) -> None:
    make(path)
    before = len(os.listdir("/proc/self/fd"))

    assert open_cached("file", root) is None
    assert len(os.listdir("/proc/self/fd")) == before


def opened(path: str, root: int) -> bytes:
    with open(open_regular(path, os.O_RDONLY, directory=root), "rb") as file:
        return file.read()


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield fd
    finally:
        os.close(fd)
