"""FileOps: every byte written, and a failure of the disk told from one of the request."""

import errno
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from registry.storage.blobs.filesystem.file_ops import FileOps, Syscalls
from tests.support.registry.guards import MemoryGuard


def test_write_all_writes_every_byte_however_little_is_taken_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.pwritev

    def three_at_most(fd: int, buffers: Sequence[bytes | memoryview], offset: int) -> int:
        first = next(buffer for buffer in buffers if len(buffer))
        return real(fd, [memoryview(first)[:3]], offset)

    monkeypatch.setattr(os, "pwritev", three_at_most)
    fd = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)

    written = FileOps(MemoryGuard().on_disk_error).write(
        fd, [b"", b"hello", b"", b", ", b"world"], 2
    )

    os.close(fd)
    assert written == 12
    assert (tmp_path / "file").read_bytes() == b"\0\0hello, world"


class Failing:
    """Calls that fail with this error."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*arguments: object, **options: object) -> None:
            raise OSError(self._number, os.strerror(self._number))

        return call


CALLS: dict[str, Callable[[FileOps], object]] = {
    "create": lambda ops: ops.create(0, "file"),
    "make directory": lambda ops: ops.make_directory(0, "directory"),
    "write": lambda ops: ops.write(0, [b"x"], 0),
    "truncate": lambda ops: ops.truncate(0, 0),
    "sync": lambda ops: ops.sync(0),
    "seal": lambda ops: ops.seal(0),
    "rename": lambda ops: ops.rename(0, "a", "b"),
    "unlink": lambda ops: ops.unlink(0, "file"),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("number", "is_the_disk"),
    [(errno.EIO, True), (errno.EROFS, True), (errno.ENOSPC, False), (errno.EMFILE, False)],
)
def test_a_failure_of_the_disk_is_reported_and_each_is_raised(
    call: str, number: int, is_the_disk: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported: list[str] = []
    system = cast(Syscalls, Failing(number))
    monkeypatch.setattr(os, "mkdir", Failing(number).mkdir)
    ops = FileOps(lambda failed, error: reported.append(failed), system)

    with pytest.raises(OSError, match=os.strerror(number)):
        CALLS[call](ops)

    # A failed sync is reported whatever its reason: the kernel may have dropped the bytes.
    if call == "sync" and number == errno.EMFILE:
        is_the_disk = True
    assert reported == [call] * is_the_disk


def test_a_missing_file_is_removed_already(tmp_path: Path) -> None:
    directory = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)

    FileOps(MemoryGuard().on_disk_error).unlink(directory, "absent")

    os.close(directory)


def test_a_file_is_made_once_for_its_owner_and_sealed_for_reading(tmp_path: Path) -> None:
    directory, ops = (
        os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY),
        FileOps(MemoryGuard().on_disk_error),
    )
    fd = ops.create(directory, "file")
    made = (tmp_path / "file").stat().st_mode & 0o777

    ops.seal(fd)

    assert (made, (tmp_path / "file").stat().st_mode & 0o777) == (0o600, 0o444)
    with pytest.raises(FileExistsError):
        ops.create(directory, "file")
    os.close(fd)
    os.close(directory)
