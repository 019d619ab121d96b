"""registry fsck of a stopped registry: finds errors, and changes nothing."""

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from registry.cli import main
from registry.integrity.findings import INVARIANTS
from registry.storage import markers
from registry.storage.database import schema
from registry.storage.disk.root import LOCK
from tests.support import http
from tests.support.images import an_image
from tests.support.processes import make_registry_server

pytestmark = pytest.mark.takes(10)

WAL = "registry.db-wal"
INDEX = "registry.db-shm"
Tree = dict[str, tuple[int, bytes]]


def tree(root: Path) -> Tree:
    """Every path under a root with its mode and its bytes, but for the lock."""
    return {
        str(path.relative_to(root)): (
            path.lstat().st_mode,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in sorted(root.rglob("*"))
        if path.name != LOCK
    }


def fsck(root: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["fsck", *options, "--root", str(root)])


@pytest.fixture
def killed(tmp_path: Path) -> Iterator[Path]:
    """The root of a server that was killed: its last rows are only in the log."""
    server = make_registry_server(tmp_path / "root")
    server.start()
    try:
        image = an_image()
        for digest, content in image.blobs.items():
            url = f"{server.url}/v2/team/app/blobs/uploads/?digest={digest}"
            http.post(url, content=content).raise_for_status()
        url = f"{server.url}/v2/team/app/manifests/v1"
        headers = {"Content-Type": image.media_type}
        http.put(url, content=image.manifest, headers=headers).raise_for_status()
        server.kill()
        yield server.root
    finally:
        server.stop()


@pytest.fixture
def stopped(killed: Path) -> Path:
    """The root of a server that has ended: there is no log."""
    with sqlite3.connect(killed / "registry.db") as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    assert not (killed / WAL).exists()
    (killed / markers.OPEN).unlink()
    return killed


@pytest.mark.parametrize("options", [(), ("--deep",)])
def test_a_check_after_a_crash_reads_the_log_and_changes_no_file(
    killed: Path, options: tuple[str, ...]
) -> None:
    layer = an_image().layers[0].descriptor.digest
    (victim,) = (killed / "blobs").glob(f"*/{layer.encoded}-*")
    victim.unlink()
    (killed / "blobs" / "ab" / "orphan").write_bytes(b"orphan")
    before = tree(killed)
    assert before[WAL][1]

    result = fsck(killed, *options)

    assert tree(killed) == before
    assert result.exit_code == 1
    assert f"I1 ({INVARIANTS['I1']}) blob {layer}: found no file" in result.output
    assert "affects team/app:v1" in result.output
    assert f"I9 ({INVARIANTS['I9']}; harmless) blobs/ab/orphan" in result.output
    assert "2 blobs, 1 manifests" in result.output


def test_a_log_without_its_index_is_read_too_and_the_index_is_gone_again(killed: Path) -> None:
    (killed / INDEX).unlink()
    before = tree(killed)

    result = fsck(killed, "--deep")

    assert tree(killed) == before
    assert (result.exit_code, "2 blobs, 1 manifests" in result.output) == (0, True)


def test_a_check_after_a_clean_stop_changes_no_file(stopped: Path) -> None:
    before = tree(stopped)

    result = fsck(stopped, "--deep")

    assert tree(stopped) == before
    assert (result.exit_code, "2 blobs, 1 manifests" in result.output) == (0, True)


def test_a_removed_log_is_reported_and_nothing_is_changed(killed: Path) -> None:
    (killed / WAL).unlink()
    before = tree(killed)

    result = fsck(killed)

    assert tree(killed) == before
    assert (result.exit_code, result.output.count("\n")) == (1, 1)
    assert f"the log {WAL} is missing" in result.output


def test_a_root_without_directories_is_not_given_any(stopped: Path) -> None:
    (stopped / "uploads").rmdir()
    before = tree(stopped)

    result = fsck(stopped)

    assert tree(stopped) == before
    assert result.exit_code == 0


NEWEST = schema.newest_revision()


@pytest.mark.parametrize(
    ("revision", "told"),
    [
        ("0001", f"has schema '0001', expected '{NEWEST}'"),
        ("9999", "'9999', which this program does not know"),
    ],
)
def test_another_programs_schema_is_reported_and_unchanged(
    killed: Path, revision: str, told: str
) -> None:
    with sqlite3.connect(killed / "registry.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", [revision])
    connection.close()
    (killed / markers.OPEN).unlink()
    before = tree(killed)

    result = fsck(killed)

    assert tree(killed) == before
    assert (result.exit_code, told in result.output) == (1, True)
    assert isinstance(result.exception, SystemExit)


def test_a_directory_without_a_registry_is_reported_and_unchanged(tmp_path: Path) -> None:
    result = fsck(tmp_path)

    assert (result.exit_code, "there is no registry here" in result.output) == (1, True)
    assert os.listdir(tmp_path) == []


def test_a_file_that_is_no_database_is_reported_in_one_line(stopped: Path) -> None:
    (stopped / "registry.db").write_bytes(b"no database" * 1000)

    result = fsck(stopped)

    assert (result.exit_code, result.output.count("\n")) == (1, 1)
    assert "file is not a database" in result.output


def test_a_repair_writes(killed: Path) -> None:
    name = f"{'ab' * 32}-00000000-0000-4000-8000-000000000000"
    orphan = killed / "blobs" / "ab" / name
    orphan.write_bytes(b"orphan")

    result = fsck(killed, "--repair")

    assert "-> removed" in result.output
    assert not orphan.exists()
