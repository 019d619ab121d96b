"""The daemon as a process: started by the command, alone on its root, ended in order."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.runner.runners import Runner

pytestmark = [pytest.mark.needs_root, pytest.mark.takes(15)]


@pytest.fixture
def run_dir() -> Iterator[Path]:
    path = Path("/run") / f"st-{os.getpid()}-{secrets.token_hex(3)}"
    path.mkdir()
    yield path
    shutil.rmtree(path, ignore_errors=True)


def command(*words: str, root: Path | str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  (a fixed command of the test's own)
        [sys.executable, "-m", *words],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "RUNNER_ROOT": str(root)},
    )


def peer(path: Path) -> int:
    """The process that listens on a socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.connect(str(path))
        credentials = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    return int.from_bytes(credentials[:4], sys.byteorder)


def test_the_command_starts_the_daemon(run_dir: Path, tmp_path: Path) -> None:
    path = run_dir / "s"
    try:
        first = command("runner", "--socket", str(path), "ps", root=tmp_path / "root")
        daemon = peer(path)
        second = command("runner", "--socket", str(path), "ps", root=tmp_path / "root")

        assert (first.returncode, first.stderr) == (0, "")
        assert first.stdout.startswith("CONTAINER ID")
        assert second.stdout == first.stdout
        assert peer(path) == daemon
        assert os.getsid(daemon) != os.getsid(0)
        assert "listening on" in (run_dir / "daemon.log").read_text()
    finally:
        os.kill(peer(path), signal.SIGTERM)
        _until_gone(path)


def test_commands_at_once_start_one_daemon(run_dir: Path, tmp_path: Path) -> None:
    path = run_dir / "s"
    argv = [sys.executable, "-m", "runner", "--socket", str(path), "ps", "-q"]
    environment = {**os.environ, "RUNNER_ROOT": str(tmp_path / "root")}
    commands = [
        subprocess.Popen(argv, env=environment, stderr=subprocess.PIPE)  # noqa: S603  (as above)
        for _ in range(4)
    ]
    try:
        ended = [(one.communicate(timeout=60)[1], one.returncode) for one in commands]

        assert ended == [(b"", 0)] * 4
    finally:
        os.kill(peer(path), signal.SIGTERM)
        _until_gone(path)


def test_a_daemon_that_cannot_start_is_told_in_its_own_words(run_dir: Path) -> None:
    done = command("runner", "--socket", str(run_dir / "s"), "ps", root="relative")

    assert done.returncode == 1
    assert done.stderr == (
        "Error: the daemon was started and ended: "
        "Error: RUNNER_ROOT: expected an absolute path, found 'relative'\n"
    )


def test_a_second_daemon_on_the_same_root_is_refused(shared_runner: Runner, run_dir: Path) -> None:
    done = command("runner.daemon", "--socket", str(run_dir / "s"), root=shared_runner.root)

    assert done.returncode == 1
    assert done.stderr == f"Error: {shared_runner.root} is in use by another daemon\n"
    assert not (run_dir / "s").exists()


def test_a_second_daemon_on_the_same_socket_is_refused(
    shared_runner: Runner, tmp_path: Path
) -> None:
    done = command("runner.daemon", "--socket", str(shared_runner.socket), root=tmp_path / "root")

    assert done.returncode == 1
    assert f"another daemon answers on {shared_runner.socket}" in done.stderr
    assert shared_runner("ps", "-q") == ""


def test_mistakes_in_the_settings_are_all_said(run_dir: Path, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[runner]\nlog_level = "loud"\nnonsense = 1\n')

    done = command("runner.daemon", "--config", str(file), "--socket", "s", root="/r")

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 3
    assert all(line.startswith("Error: ") for line in done.stderr.splitlines())


def test_a_socket_given_by_systemd_is_used_and_kept(run_dir: Path, tmp_path: Path) -> None:
    path = run_dir / "s"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        # systemd names the process it has made, which only the process itself can know before.
        script = (
            "import os, sys; os.dup2(int(sys.argv[1]), 3); os.environ.update("
            "LISTEN_PID=str(os.getpid()), LISTEN_FDS='1'); "
            "os.execv(sys.executable, [sys.executable, '-m', 'runner.daemon', *sys.argv[2:]])"
        )
        daemon = subprocess.Popen(  # noqa: S603  (a fixed command of the test's own)
            [sys.executable, "-c", script, str(listener.fileno()), "--root", str(tmp_path / "root"),
             "--socket", str(path)],
            pass_fds=[listener.fileno()],
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        said = command("runner", "--socket", str(path), "version", root="/r")
        daemon.terminate()

        assert said.returncode == 0
        assert daemon.wait(60) == 0
        assert path.exists()


def test_files_of_images_are_hidden_from_the_hosts_users(shared_runner: Runner) -> None:
    shared_runner("run", "-d", "--name", "hidden", "busybox", "sleep", "60")
    places = (shared_runner.root, shared_runner.run_dir)
    # os.walk does not mind what vanishes: other tests' containers are still being removed.
    found = {
        Path(directory, name)
        for place in places
        for directory, directories, files in os.walk(place)
        for name in (*directories, *files)
        if name == "busybox"
    }

    def hidden(path: Path) -> bool:
        above = [parent for parent in path.parents if _ours(parent, places)]
        return any(not parent.stat().st_mode & 0o001 for parent in above)

    assert found
    assert [path for path in found if path.exists() and not hidden(path)] == []
    shared_runner("rm", "-f", "hidden")


def _ours(path: Path, places: tuple[Path, ...]) -> bool:
    return any(path != place and path.is_relative_to(place) for place in places)


def _until_gone(path: Path) -> None:
    deadline = time.monotonic() + 60
    while path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
