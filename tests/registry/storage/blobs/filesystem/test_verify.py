"""Verify: the digest of the file's bytes, from its start."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from oci.digest import Digest, Digester
from registry.storage.blobs import names as blob_names
from registry.storage.blobs.filesystem import verify

MIB = 1024 * 1024


def test_hash_file_reads_from_the_start(tmp_path: Path) -> None:
    content = os.urandom(3 * MIB + 17)
    (tmp_path / "file").write_bytes(content)
    fd = os.open(tmp_path / "file", os.O_RDONLY)
    os.lseek(fd, 5, os.SEEK_SET)

    digest = verify.hash_file(fd, "sha512")

    os.close(fd)
    whole = Digester("sha512")
    whole.update(content)
    assert digest == whole.digest()


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield fd
    os.close(fd)


def place_of(root: Path, physical: str) -> Path:
    path = root / blob_names.blob_path(physical)
    path.parent.mkdir(parents=True)
    return path


NAME = blob_names.physical_name(Digest.of(b"as it was"), str(uuid4()))


@pytest.mark.parametrize("pace", [None, lambda count: None], ids=["cached", "from the disk"])
def test_the_bytes_are_hashed_and_not_the_name(
    tmp_path: Path, root: int, pace: Callable[[int], None] | None
) -> None:
    place_of(tmp_path, NAME).write_bytes(b"as it is")

    assert verify.hash_blob(root, NAME, "sha256", pace) == Digest.of(b"as it is")


def test_a_pace_is_told_every_byte_and_may_end_it(tmp_path: Path, root: int) -> None:
    place_of(tmp_path, NAME).write_bytes(bytes(3 * MIB))
    told: list[int] = []

    def pace(count: int) -> None:
        told.append(count)
        if len(told) == 2:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        verify.hash_blob(root, NAME, "sha256", pace)

    assert told == [MIB, MIB]


@pytest.mark.parametrize(
    "make", [None, Path.mkdir, os.mkfifo], ids=["nothing", "directory", "fifo"]
)
def test_what_is_no_file_has_no_digest(
    tmp_path: Path, root: int, make: Callable[[Path], None] | None
) -> None:
    place = place_of(tmp_path, NAME)
    if make is not None:
        make(place)

    assert verify.hash_blob(root, NAME, "sha256", None) is None
