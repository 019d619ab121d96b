"""The store's directories: present and on one file system, or a StartupError."""

import subprocess
from pathlib import Path

import pytest

from registry.errors import StartupError
from registry.storage.blobs.filesystem.store import FilesystemBlobStore
from registry.storage.disk.root import Root
from tests.support.registry.guards import MemoryGuard


async def test_every_directory_is_made_and_made_again_if_missing(tmp_path: Path) -> None:
    for _ in range(2):
        with Root.open(tmp_path) as root:
            await FilesystemBlobStore(root, MemoryGuard()).aclose()
        directories = {path.name for path in (tmp_path / "blobs").iterdir()}
        assert directories == {f"{n:02x}" for n in range(256)}
        (tmp_path / "blobs" / "7f").rmdir()
    assert (tmp_path / "uploads").is_dir()


@pytest.mark.parametrize("name", ["blobs", "uploads"])
def test_anything_in_a_directorys_place_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")

    with Root.open(tmp_path) as root, pytest.raises(StartupError, match=name):
        FilesystemBlobStore(root, MemoryGuard())


def test_a_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "blobs").symlink_to(tmp_path / "elsewhere")

    with Root.open(tmp_path / "root") as root, pytest.raises(StartupError):
        FilesystemBlobStore(root, MemoryGuard())

    assert list((tmp_path / "elsewhere").iterdir()) == []


async def test_one_of_the_256_that_is_a_symbolic_link_is_named(tmp_path: Path) -> None:
    with Root.open(tmp_path / "root") as root:
        await FilesystemBlobStore(root, MemoryGuard()).aclose()
        (tmp_path / "root" / "blobs" / "7f").rename(tmp_path / "elsewhere")
        (tmp_path / "root" / "blobs" / "7f").symlink_to(tmp_path / "elsewhere")

        with pytest.raises(StartupError, match="blobs/7f is a symbolic link, expected a directory"):
            FilesystemBlobStore(root, MemoryGuard())


@pytest.mark.needs_root
def test_another_file_system_under_the_root_is_refused(tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir()
    mount("-t", "tmpfs", "tmpfs", str(tmp_path / "blobs"))
    try:
        with Root.open(tmp_path) as root, pytest.raises(StartupError, match="another file system"):
            FilesystemBlobStore(root, MemoryGuard())
    finally:
        subprocess.run(["/bin/umount", tmp_path / "blobs"], check=True)  # noqa: S603


def mount(*arguments: str) -> None:
    subprocess.run(["/bin/mount", *arguments], check=True)  # noqa: S603
