"""Start a daemon in a session of its own, with its own log."""

import os
import select
import sys
import time

from runner.client.wire import DaemonUnreachable, connect

START_SECONDS = 20.0
_OTHER_DAEMON_SECONDS = 5.0

# The daemon's message when its root is in use: another command has just started one.
ROOT_IN_USE = "another daemon"


def start_daemon(path: str) -> None:
    """Start a daemon on this socket; returns when it listens, or raises DaemonUnreachable."""
    directory = os.path.dirname(path)
    log = os.path.join(directory, "daemon.log")
    try:
        os.makedirs(directory, 0o755, exist_ok=True)
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DaemonUnreachable(
            f"no daemon answers on {path}, and none can be started: {error.filename}: "
            f"{error.strerror}"
        ) from error
    start = os.lseek(output, 0, os.SEEK_END)
    ready, ready_fd = os.pipe()
    _spawn(path, output, ready_fd)
    os.close(output)
    os.close(ready_fd)
    ready_byte = _wait_ready(ready)
    os.close(ready)
    if ready_byte == b"1":
        return
    lines = _lines(log, start)
    # Daemons share the log: the other's lines may follow those of ours.
    if any(ROOT_IN_USE in line for line in lines) and _is_reachable(path):
        return
    reason = "does not answer" if ready_byte is None else "ended"
    last = next((line for line in reversed(lines) if line.startswith("Error")), "".join(lines[-1:]))
    raise DaemonUnreachable(f"the daemon was started and {reason}: {last or f'see {log}'}")


def _spawn(path: str, output: int, ready_fd: int) -> None:
    """Fork twice, so that the daemon's parent is init and not this command."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:
        os.setsid()
        if os.fork() == 0:
            null = os.open(os.devnull, os.O_RDONLY)
            os.dup2(null, 0)
            os.dup2(output, 1)
            os.dup2(output, 2)
            os.set_inheritable(ready_fd, True)
            os.chdir("/")
            command = ["-m", "runner.daemon", "--socket", path, "--ready-fd", str(ready_fd)]
            os.execv(sys.executable, [sys.executable, *command])  # noqa: S606 - no shell is wanted
    finally:
        os._exit(0)


def _wait_ready(ready: int) -> bytes | None:
    """b"1" once the daemon listens, b"" if it exited before, None on timeout."""
    readable, _, _ = select.select([ready], [], [], START_SECONDS)
    return os.read(ready, 1) if readable else None


def _is_reachable(path: str) -> bool:
    deadline = time.monotonic() + _OTHER_DAEMON_SECONDS
    while time.monotonic() < deadline:
        try:
            connect(path).close()
        except OSError:
            time.sleep(0.05)
        else:
            return True
    return False


def _lines(log: str, start: int) -> list[str]:
    with open(log, "rb") as file:
        file.seek(start)
        return file.read().decode(errors="replace").strip().splitlines()
