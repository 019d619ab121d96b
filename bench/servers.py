"""The servers that are measured: each started here on a port of its own, stopped by its pid."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

_READY_SECONDS = 30
_STOP_SECONDS = 20
_PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


class Missing(Exception):
    """A program that a row needs is not installed."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that answers on its port."""

    name: str
    port: int
    pid: int


def program(name: str) -> str:
    found = shutil.which(name, path=_PATH)
    if found is None:
        raise Missing(name)
    return found


def free_port() -> int:
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def ours(directory: Path, *, anonymous: str = "push") -> Iterator[Server]:
    port = free_port()
    command = [sys.executable, "-m", "registry", "serve", "--root", str(directory / "root")]
    command += ["--listen", f"127.0.0.1:{port}", "--anonymous", anonymous]
    with running("slipway", command, port, directory) as server:
        yield server


@contextmanager
def docker_registry(directory: Path) -> Iterator[Server]:
    """Debian's package of CNCF distribution; its file system driver syncs each blob."""
    port = free_port()
    directory.mkdir(parents=True, exist_ok=True)
    settings = directory / "config.yml"
    settings.write_text(
        "version: 0.1\n"
        "log: {level: error, accesslog: {disabled: true}}\n"
        f"storage: {{filesystem: {{rootdirectory: {directory / 'root'}}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\n"
    )
    command = [program("docker-registry"), "serve", str(settings)]
    with running("docker-registry", command, port, directory) as server:
        yield server


@contextmanager
def nginx(directory: Path, served: Path) -> Iterator[Server]:
    """One worker, sendfile on, as it would serve the blobs of a registry."""
    port = free_port()
    directory.mkdir(parents=True, exist_ok=True)
    temporary = "".join(
        f"{kind}_temp_path {directory / kind}; "
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    settings = directory / "nginx.conf"
    settings.write_text(
        "user root; daemon off; worker_processes 1; events {}\n"
        f"pid {directory / 'pid'}; error_log {directory / 'errors'};\n"
        f"http {{ access_log off; sendfile on; tcp_nopush on; {temporary}\n"
        f"server {{ listen 127.0.0.1:{port}; root {served}; }} }}\n"
    )
    with running("nginx", [program("nginx"), "-c", str(settings)], port, directory) as server:
        yield server


@contextmanager
def running(name: str, command: Sequence[str], port: int, directory: Path) -> Iterator[Server]:
    with process(command, directory, ready=lambda: _accepts(port)) as pid:
        yield Server(name, port, pid)


@contextmanager
def process(command: Sequence[str], directory: Path, ready: Callable[[], bool]) -> Iterator[int]:
    """A child that is ready; its pid.  It is told to stop at the end, and waited for."""
    directory.mkdir(parents=True, exist_ok=True)
    log = directory / "log"
    with log.open("ab") as output:
        child = subprocess.Popen(  # noqa: S603  (commands of this package)
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        end = time.monotonic() + _READY_SECONDS
        while not ready():
            if time.monotonic() > end or child.poll() is not None:
                raise RuntimeError(f"{command} did not start:\n{log.read_text()[-2000:]}")
            time.sleep(0.05)
        yield child.pid
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def peak_memory_mib(pid: int) -> float:
    """VmHWM: the most that was resident since ``reset_peak``."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"process {pid} has no VmHWM")


def reset_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")
