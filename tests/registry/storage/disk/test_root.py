"""Root: one process at a time, on one file system."""

import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

from registry.errors import RootInUse, StartupError
from registry.storage.disk.root import Root


def test_a_root_that_is_not_there_is_made(tmp_path: Path) -> None:
    with Root.open(tmp_path / "new" / "root") as root:
        assert root.database == tmp_path / "new" / "root" / "registry.db"


def test_a_root_opens_again_once_closed(tmp_path: Path) -> None:
    Root.open(tmp_path).close()

    Root.open(tmp_path).close()


def test_a_second_process_is_refused_by_the_pid_of_the_first(tmp_path: Path) -> None:
    script = (
        "import sys, time, pathlib\n"
        "from registry.storage.disk.root import Root\n"
        "root = Root.open(pathlib.Path(sys.argv[1]))\n"
        "sys.stdout.write('ready\\n'); sys.stdout.flush(); sys.stdin.read()\n"
    )
    with subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", script, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()

        with pytest.raises(RootInUse, match=f"process {other.pid};"):
            Root.open(tmp_path)

        other.kill()
    Root.open(tmp_path).close()


def test_a_root_whose_lock_file_was_removed_is_still_in_use(tmp_path: Path) -> None:
    with Root.open(tmp_path):
        (tmp_path / "lock").unlink()

        with pytest.raises(RootInUse, match="process unknown"):
            Root.open(tmp_path)
        with pytest.raises(RootInUse):
            Root.open_to_read(tmp_path)

    Root.open(tmp_path).close()


def test_a_program_that_only_locks_the_lock_file_keeps_the_root_too(tmp_path: Path) -> None:
    """As programs before this one do."""
    with (tmp_path / "lock").open("w") as lock:
        lock.write("4711\n")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)

        for take in (Root.open, Root.open_to_read):
            with pytest.raises(RootInUse, match="process 4711;"):
                take(tmp_path)


def test_a_root_that_is_opened_to_read_is_not_changed(tmp_path: Path) -> None:
    with Root.open_to_read(tmp_path), pytest.raises(RootInUse):
        Root.open_to_read(tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_a_root_that_is_a_file_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "root").write_bytes(b"")

    for take in (Root.open, Root.open_to_read):
        with pytest.raises(StartupError, match="Not a directory"):
            take(tmp_path / "root")


def test_a_root_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(StartupError, match="Not a directory"):
        Root.open(tmp_path / "file" / "root")


def test_a_symbolic_link_for_a_lock_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "lock").symlink_to(target)

    with pytest.raises(StartupError):
        Root.open(tmp_path / "root")

    assert not target.exists()
