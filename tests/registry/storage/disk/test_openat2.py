"""One call opens a file below a directory; what it cannot open it says nothing of."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.storage.disk.openat2 import open_below


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "blobs" / "ab").mkdir(parents=True)
    (tmp_path / "blobs" / "ab" / "file").write_bytes(b"content")
    (tmp_path / "outside").write_bytes(b"outside")
    (tmp_path / "blobs" / "link").symlink_to("ab")
    (tmp_path / "blobs" / "ab" / "link").symlink_to("file")
    fd = os.open(tmp_path / "blobs", os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield fd
    finally:
        os.close(fd)


@pytest.mark.parametrize("only_cached", [False, True])
def test_a_file_is_opened_and_closed_on_exec(root: int, *, only_cached: bool) -> None:
    fd = open_below(root, "ab/file", os.O_RDONLY | os.O_CLOEXEC, only_cached=only_cached)

    assert fd is not None
    assert not os.get_inheritable(fd)
    with open(fd, "rb") as file:
        assert file.read() == b"content"


@pytest.mark.parametrize("only_cached", [False, True])
@pytest.mark.parametrize(
    "path", ["ab/missing", "xy/file", "link/file", "ab/link", "../outside", "/etc/passwd", ""]
)
def test_nothing_else_is_opened(root: int, path: str, *, only_cached: bool) -> None:
    before = len(os.listdir("/proc/self/fd"))

    assert open_below(root, path, os.O_RDONLY, only_cached=only_cached) is None
    assert len(os.listdir("/proc/self/fd")) == before
