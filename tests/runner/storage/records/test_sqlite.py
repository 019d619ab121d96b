"""Records: durable before they show, whole or not at all."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from oci.descriptor import Descriptor
from oci.digest import Digest
from oci.mediatype import OCI_MANIFEST
from runner.storage.records.sqlite import Records, RecordsUnusable
from runner.storage.records.values import ContainerRecord, ImageRecord, VolumeRecord

DIGEST = Digest.of(b"manifest")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "records.db"


@pytest.fixture
def records(path: Path) -> Iterator[Records]:
    records = Records(path)
    yield records
    records.close()


def image(reference: str) -> ImageRecord:
    target = Descriptor(OCI_MANIFEST, DIGEST, 8)
    return ImageRecord(reference, target, DIGEST, Digest.of(b"config"), 1.5)


def container(identity: str, name: str, **observed: object) -> ContainerRecord:
    return ContainerRecord(identity, name, {"image": "app"}, dict(observed))


async def test_everything_is_there_after_a_restart(path: Path) -> None:
    first = Records(path)
    volume = VolumeRecord("data", 2.5, {"a": "b"}, anonymous=True)
    await first.images.put(image("registry.test/app:latest"))
    await first.containers.put(container("1f", "web", state="running", exit_code=None))
    await first.volumes.put(volume)
    first.close()

    second = Records(path)

    assert second.images.all() == (image("registry.test/app:latest"),)
    assert second.containers.get("1f") == container("1f", "web", state="running", exit_code=None)
    assert second.volumes.get("data") == volume
    second.close()


async def test_a_removed_record_is_gone_after_a_restart_too(path: Path) -> None:
    first = Records(path)
    await first.images.put(image("a"), image("b"))
    await first.images.remove("a", "never there")
    first.close()

    second = Records(path)

    assert [record.reference for record in second.images.all()] == ["b"]
    second.close()


async def test_a_change_that_fails_shows_nothing(records: Records) -> None:
    with pytest.raises(TypeError):
        await records.containers.put(container("1", "web", odd=object()))

    assert records.containers.all() == ()


async def test_a_change_is_durable_when_it_shows(path: Path, records: Records) -> None:
    await records.images.put(image("a"))

    reader = sqlite3.connect(path)
    rows = reader.execute("SELECT key FROM images").fetchall()
    (synchronous,) = records.connection.execute("PRAGMA synchronous").fetchone()
    reader.close()

    assert rows == [("a",)]
    assert synchronous == 2  # FULL


def test_one_daemon_holds_a_root(path: Path, records: Records) -> None:
    with pytest.raises(RecordsUnusable, match="in use by another daemon"):
        Records(path)


def test_the_next_daemon_may_have_it(path: Path) -> None:
    Records(path).close()

    Records(path).close()


def test_records_of_a_newer_runner_are_left_alone(path: Path) -> None:
    newer = sqlite3.connect(path)
    newer.execute("PRAGMA user_version = 99")
    newer.close()

    with pytest.raises(RecordsUnusable, match="schema version 99"):
        Records(path)
    newer = sqlite3.connect(path)
    assert newer.execute("SELECT name FROM sqlite_master").fetchall() == []
    newer.close()


def test_records_that_are_there_are_opened_without_a_write(tmp_path: Path) -> None:
    Records(tmp_path / "records.db").close()
    written = (tmp_path / "records.db").stat().st_mtime_ns

    records = Records(tmp_path / "records.db")
    changes = records.connection.total_changes
    journal = tmp_path / "records.db-wal"
    written_ahead = journal.stat().st_size if journal.exists() else 0
    records.close()

    assert (changes, written_ahead) == (0, 0)
    assert (tmp_path / "records.db").stat().st_mtime_ns == written


def test_a_file_that_is_no_database_is_told_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "records.db").write_bytes(b"this is not a database, and never was" * 100)

    with pytest.raises(RecordsUnusable, match=r"records\.db: file is not a database"):
        Records(tmp_path / "records.db")


def test_records_of_an_earlier_version_are_closed_to_others(tmp_path: Path) -> None:
    path = tmp_path / "records.db"
    Records(path).close()
    path.chmod(0o644)
    log = path.with_name("records.db-wal")
    log.touch(mode=0o644)
    log.chmod(0o644)

    opened = Records(path)

    modes = {file.name: file.stat().st_mode & 0o777 for file in (path, log)}
    opened.close()
    assert modes == {"records.db": 0o600, "records.db-wal": 0o600}
