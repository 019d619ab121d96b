"""The root: one process at a time, one file system, directories that are there."""

import subprocess
import sys
from pathlib import Path

import pytest

from registry.errors import RootInUse, StartupError
from registry.storage.root import Root


def test_a_root_that_is_not_there_is_made(tmp_path: Path) -> None:
    with Root.open(tmp_path / "new" / "root") as root:
        assert root.database == tmp_path / "new" / "root" / "registry.db"


def test_a_root_opens_again_once_closed(tmp_path: Path) -> None:
    Root.open(tmp_path).close()

    Root.open(tmp_path).close()


def test_a_second_process_is_refused_by_the_pid_of_the_first(tmp_path: Path) -> None:
    script = (
        "import sys, time, pathlib\n"
        "from registry.storage.root import Root\n"
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
