"""AppendFile: of a batch that fails nothing stays; a session that is gone publishes nothing."""

import errno
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from oci.digest import Digest
from registry.errors import BlobUploadUnknown, ClaimLost
from registry.storage.blobs.filesystem.append_file import AppendFile
from registry.storage.blobs.filesystem.file_ops import FileOps
from registry.storage.blobs.filesystem.upload_memory import UploadMemory
from registry.storage.blobs.names import blob_path, physical_name
from tests.support.registry.guards import MemoryGuard

SESSION = str(uuid4())
NAME = physical_name(Digest.of(b"content"), SESSION)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The session's file, with its directories."""
    (tmp_path / "uploads").mkdir()
    (tmp_path / blob_path(NAME)).parent.mkdir(parents=True)
    (tmp_path / "uploads" / SESSION).touch()
    return tmp_path / "uploads" / SESSION


@pytest.fixture
def file(tmp_path: Path, place: Path) -> Iterator[AppendFile]:
    root = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    guard = MemoryGuard()
    file = AppendFile(
        FileOps(guard.on_disk_error), guard, root, os.open(place, os.O_RDWR), 0, UploadMemory()
    )
    yield file
    file.close()
    os.close(root)


def test_batches_follow_each_other(file: AppendFile, place: Path) -> None:
    file.append([b"one", b"", b"two"])
    file.append([b"three"])

    assert (file.written, place.read_bytes()) == (11, b"onetwothree")


def test_of_a_batch_that_fails_nothing_stays(
    file: AppendFile, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.append([b"kept"])
    real: Callable[..., int] = os.pwritev

    def half(fd: int, buffers: Sequence[Any], offset: int) -> int:
        real(fd, [b"half"], offset)
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwritev", half)
        with pytest.raises(OSError, match="No space"):
            file.append([b"lost"])

    assert (file.written, place.read_bytes()) == (4, b"kept")
    file.append([b", and more"])
    assert place.read_bytes() == b"kept, and more"


def test_a_cut_file_goes_on_from_the_cut(file: AppendFile, place: Path) -> None:
    file.append([b"one two"])

    file.truncate(3)
    file.append([b"!"])

    assert place.read_bytes() == b"one!"


def test_a_published_file_has_its_name_and_is_read_only(
    file: AppendFile, place: Path, tmp_path: Path
) -> None:
    file.append([b"content"])

    file.publish(SESSION, NAME)

    published = tmp_path / blob_path(NAME)
    assert published.read_bytes() == b"content"
    assert published.stat().st_mode & 0o777 == 0o444
    assert not place.exists()


def test_a_session_that_was_cancelled_publishes_nothing(
    file: AppendFile, place: Path, tmp_path: Path
) -> None:
    place.unlink()

    with pytest.raises(BlobUploadUnknown):
        file.publish(SESSION, NAME)

    assert not (tmp_path / blob_path(NAME)).exists()


def test_a_directory_that_is_missing_is_not_taken_for_a_cancelled_session(
    file: AppendFile, tmp_path: Path
) -> None:
    (tmp_path / blob_path(NAME)).parent.rmdir()

    with pytest.raises(OSError, match="blobs/"):
        file.publish(SESSION, NAME)


def test_the_file_of_a_newer_claim_is_put_back(
    file: AppendFile, place: Path, tmp_path: Path
) -> None:
    file.append([b"older"])
    place.unlink()
    place.write_bytes(b"newer")

    with pytest.raises(ClaimLost):
        file.publish(SESSION, NAME)

    assert place.read_bytes() == b"newer"
    assert not (tmp_path / blob_path(NAME)).exists()
