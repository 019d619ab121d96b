"""Other users of the machine see nothing in a daemon's directories."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.runner.runners import runner

pytestmark = pytest.mark.needs_root

ENVIRONMENT = "KEY=known to root alone"
# As nobody: every file that can be opened, every directory that can be listed.
WALK = """
import os, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
for top in sys.argv[1:]:
    for directory, names, files in os.walk(top):
        print("listed", directory)
        for name in files:
            path = os.path.join(directory, name)
            if os.access(path, os.R_OK | os.W_OK): print("opened", path)
            try: open(path, "rb").close()
            except OSError: continue
            print("opened", path)
"""


def seen_by_nobody(*tops: Path) -> set[str]:
    command = [sys.executable, "-I", "-S", "-c", WALK, *map(os.fspath, tops)]
    return set(subprocess.check_output(command, text=True).splitlines())  # noqa: S603


def open_to_others(top: Path) -> set[str]:
    """Files and directories right below that group or others may do anything with."""
    return {entry.name for entry in os.scandir(top) if entry.stat().st_mode & 0o077}


@pytest.fixture
def root() -> Path:
    """Where nobody could get to: directories of tests are usually closed."""
    root = Path(f"/run/st-privacy-{os.getpid()}")
    root.mkdir(mode=0o755)
    return root


def test_nobody_reads_what_a_daemon_keeps(root: Path) -> None:
    before = os.umask(0o022)
    try:
        with runner(root / "root") as daemon:
            daemon.import_busybox()
            daemon("volume", "create", "store")
            daemon("run", "-d", "-e", ENVIRONMENT, "-v", "store:/data", "busybox", "sleep", "60")

            found = seen_by_nobody(daemon.root, daemon.run_dir)
            written = {p.name for p in daemon.root.glob("records.db*")}

            assert {"records.db", "records.db-wal"} <= written
            assert open_to_others(daemon.root) == set()
            assert open_to_others(daemon.run_dir) == {"s"}
            assert found == {f"listed {daemon.run_dir}"}
    finally:
        os.umask(before)
        subprocess.run(["rm", "-rf", os.fspath(root)], check=True)  # noqa: S603, S607


def test_a_container_and_its_exec_have_the_usual_umask(root: Path) -> None:
    try:
        with runner(root / "root") as daemon:
            daemon.import_busybox()
            name = daemon("run", "-d", "busybox", "sleep", "60").strip()
            script = "umask; touch /made; stat -c %a /made /etc/hosts"

            in_run = daemon("run", "--rm", "busybox", "sh", "-c", script)
            in_exec = daemon("exec", name, "sh", "-c", script)

            assert in_run.split() == ["0022", "644", "644"]
            assert in_exec == in_run
    finally:
        subprocess.run(["rm", "-rf", os.fspath(root)], check=True)  # noqa: S603, S607
