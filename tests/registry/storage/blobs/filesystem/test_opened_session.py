"""Session files: one writer has the file, and a newer one goes on in another."""

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from oci.digest import Digest
from registry.errors import BlobUploadUnknown, ClaimLost
from registry.storage.blobs.claims import Progress
from registry.storage.blobs.filesystem import opened_session
from registry.storage.blobs.filesystem.file_ops import FileOps
from registry.storage.blobs.filesystem.opened_session import (
    OpenedSession,
    create_session,
    keep_first,
    open_session,
)
from registry.storage.blobs.filesystem.store import FilesystemBlobStore
from registry.storage.disk import regular_file
from registry.storage.disk.root import Root
from tests.support.registry.claims import Place
from tests.support.registry.guards import MemoryGuard
from tests.support.registry.storage import read_all

SESSION = str(uuid4())


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "uploads").mkdir()
    fd = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield fd
    os.close(fd)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "uploads" / SESSION


def opened(root: int) -> OpenedSession:
    found = open_session(root, SESSION)
    assert found is not None
    return found


def test_a_file_is_made_once(root: int, file: Path) -> None:
    create_session(FileOps(MemoryGuard().on_disk_error), root, SESSION)

    assert file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        create_session(FileOps(MemoryGuard().on_disk_error), root, SESSION)


def test_a_session_without_a_file_is_not_opened(root: int, file: Path) -> None:
    assert open_session(root, SESSION) is None
    assert not file.exists()


def test_a_writer_is_told_of_another_until_that_has_closed_the_file(root: int, file: Path) -> None:
    file.write_bytes(b"hello")
    first, second = opened(root), opened(root)
    os.close(first.fd)
    os.close(second.fd)
    third = opened(root)
    os.close(third.fd)

    assert (first.is_alone, second.is_alone, third.is_alone) == (True, False, True)
    assert [each.size for each in (first, second, third)] == [5, 5, 5]


def make_a_directory(file: Path) -> None:
    file.mkdir()


def make_a_link(file: Path) -> None:
    file.with_name("elsewhere").touch()
    file.symlink_to("elsewhere")


@pytest.mark.parametrize("make", [os.mkfifo, make_a_directory, make_a_link])
def test_nothing_but_an_open_sessions_file_is_written(
    root: int, file: Path, make: Callable[[Path], None]
) -> None:
    before = len(os.listdir("/proc/self/fd"))
    make(file)

    assert open_session(root, SESSION) is None
    assert open_session(root, "../../etc/passwd") is None
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_file_without_its_name_is_no_longer_the_sessions(
    root: int, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unlinked by a newer claim between the opening and the lock."""
    file.write_bytes(b"hello")
    real = fcntl.flock

    def unlink_first(fd: int, operation: int) -> None:
        monkeypatch.setattr(fcntl, "flock", real)
        file.unlink()
        file.write_bytes(b"newer")
        real(fd, operation)

    monkeypatch.setattr(fcntl, "flock", unlink_first)
    found = opened(root)

    assert os.pread(found.fd, 10, 0) == b"newer"
    os.close(found.fd)


@pytest.mark.parametrize("is_root", [True, False])
def test_a_session_whose_commit_was_killed_after_it_sealed_the_file_goes_on(
    root: int, file: Path, monkeypatch: pytest.MonkeyPatch, is_root: bool
) -> None:
    """Its client was told of these bytes, and no blob has them."""
    file.write_bytes(b"content")
    file.chmod(0o444)
    real = regular_file.open_regular

    def open_as_its_owner(path: str, flags: int, *, directory: int) -> int:
        if flags == os.O_RDWR and not file.stat().st_mode & 0o200:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return real(path, flags, directory=directory)

    if not is_root:
        monkeypatch.setattr(opened_session, "open_regular", open_as_its_owner)
    found = opened(root)

    assert os.pwrite(found.fd, b"!", found.size) == 1
    assert file.read_bytes() == b"content!"
    os.close(found.fd)


def test_a_file_that_became_a_blob_meanwhile_is_no_longer_the_sessions(
    root: int, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Renamed by a commit between the opening and the lock."""
    file.write_bytes(b"hello")
    real = fcntl.flock

    def rename_first(fd: int, operation: int) -> None:
        file.rename(file.with_name("blob"))
        real(fd, operation)

    monkeypatch.setattr(fcntl, "flock", rename_first)

    assert open_session(root, SESSION) is None


@pytest.mark.parametrize("size", [0, 3, 7, 10])
def test_the_first_bytes_go_into_a_file_of_its_own_beside_another_writer(
    root: int, file: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(opened_session, "COPY_BYTES", 3)
    file.write_bytes(b"0123456789")
    older = opened(root)

    newer = keep_first(FileOps(MemoryGuard().on_disk_error), root, SESSION, opened(root), size)
    os.pwrite(older.fd, b"??????????", 0)

    assert file.read_bytes() == os.pread(newer, 20, 0) == b"0123456789"[:size]
    assert not opened(root).is_alone, "the new file is locked too"
    os.close(older.fd)
    os.close(newer)


async def test_a_commit_overtaken_after_its_record_moves_no_other_file(tmp_path: Path) -> None:
    with Root.open(tmp_path / "root") as directory:
        place = Place(FilesystemBlobStore(directory, MemoryGuard()))
        session = await place.a_session(b"hello")
        newer = []

        async def overtaken(progress: Progress) -> None:
            await place.claims.record(progress)
            newer.append(await place.writer(session))
            await newer[0].write(b", world")
            await newer[0].flush()

        claim = await place.claims.claim(session, "sha256")
        older = await place.store.writer(claim, overtaken)

        with pytest.raises(ClaimLost):
            await older.commit(Digest.of(b"hello"))
        with pytest.raises(BlobUploadUnknown):
            await older.release()
        stored = await newer[0].commit(Digest.of(b"hello, world"))
        await newer[0].release()
        reader = await place.store.reader(stored.physical, stored.size)
        assert reader is not None
        assert await read_all(reader) == b"hello, world"
        assert len(list((tmp_path / "root").glob("blobs/*/*"))) == 1
        await place.store.aclose()


async def test_a_claim_that_is_refused_leaves_no_descriptor_open(tmp_path: Path) -> None:
    with Root.open(tmp_path / "root") as directory:
        place = Place(FilesystemBlobStore(directory, MemoryGuard()))
        session = await place.a_session(b"hello")
        late = await place.claims.claim(session, "sha256")
        newer = await place.writer(session)
        before = len(os.listdir("/proc/self/fd"))

        with pytest.raises(ClaimLost):
            await place.store.writer(late, place.claims.record)

        assert len(os.listdir("/proc/self/fd")) == before
        await newer.release()
        await place.store.aclose()
