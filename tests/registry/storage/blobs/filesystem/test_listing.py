"""Listing: each file by what its name and its place say of it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from oci.digest import Digest
from registry.storage.blobs.filesystem.listing import LISTED, files_in
from registry.storage.blobs.names import blob_path, physical_name

SESSION = "6f1f1f6e-58f0-4f0b-9d3f-5a1f0c2b7a11"
NAME = physical_name(Digest.of(b"content"), SESSION)


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield fd
    os.close(fd)


def put(root: Path, path: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(b"seven b")


@pytest.mark.parametrize(
    ("path", "kind", "name", "session"),
    [
        (blob_path(NAME), "blob", NAME, SESSION),
        (f"uploads/{SESSION}", "upload", SESSION, SESSION),
        (f"uploads/{NAME}", "misnamed", f"uploads/{NAME}", SESSION),
        (f"blobs/00/{NAME}", "misnamed", f"blobs/00/{NAME}", SESSION),
        ("uploads/notes", "misnamed", "uploads/notes", ""),
        ("blobs/notes", "unknown", "blobs/notes", ""),
    ],
)
def test_a_file_is_a_blob_an_upload_or_neither(
    tmp_path: Path, root: int, path: str, kind: str, name: str, session: str
) -> None:
    put(tmp_path, path)

    [found] = [file for directory in LISTED for file in files_in(root, directory)]

    assert (found.kind, found.name, found.path) == (kind, name, path)
    assert (found.size, found.session) == (7, session)


def test_anything_but_a_file_is_unknown(tmp_path: Path, root: int) -> None:
    (tmp_path / "uploads" / SESSION).mkdir(parents=True)
    (tmp_path / "uploads" / "link").symlink_to("/etc/passwd")

    assert [file.kind for file in files_in(root, "uploads")] == ["unknown", "unknown"]


def test_the_fan_out_is_no_file_of_its_parent_and_a_missing_directory_has_none(
    tmp_path: Path, root: int
) -> None:
    put(tmp_path, blob_path(NAME))

    assert files_in(root, "blobs") == []
    assert files_in(root, "uploads") == []
