"""Real servers for tests: each started on its own port and root, stopped by its own process id."""

import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

from tests.support import http
from tests.support.ports import free_port

# Tests have to pass on a disk that is nearly full as well.
NO_FLOOR = {"REGISTRY_DISK__MIN_FREE_BYTES": "0", "REGISTRY_DISK__MIN_FREE_PERCENT": "0"}
READY_SECONDS = 60.0
STOP_SECONDS = 60.0


def needs_program(name: str) -> str:
    """The program's path; skips the test, and says which package is missing, without it."""
    found = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    if found is None:
        pytest.skip(f"needs the program {name}, which scripts/test installs")
    return found


@dataclass
class Server:
    """A child process with a log, and a way to tell that it is ready."""

    command: Sequence[str | Path]
    log: Path
    ready: Callable[[], bool]
    environment: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self.process is not None, "the server was not started"
        return self.process.pid

    def start(self) -> None:
        """Start the process and wait until it is ready; fail with its log when it is not."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603  (a fixed command of the test's own)
                [str(part) for part in self.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.environment},
                start_new_session=True,
            )
        deadline = time.monotonic() + READY_SECONDS
        while not self.ready():
            if self.process.poll() is not None:
                pytest.fail(f"{self.command[0]} ended with {self.process.returncode}:\n{self.tail}")
            if time.monotonic() > deadline:
                self.kill()
                pytest.fail(f"{self.command[0]} was not ready in time:\n{self.tail}")
            time.sleep(0.02)

    def stop(self) -> int:
        """Ask the process to end (SIGTERM) and return its exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.process.returncode

    def kill(self) -> None:
        """End the process at once, as a power cut would (SIGKILL)."""
        assert self.process is not None
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()

    @property
    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-4000:]


@dataclass
class RegistryServer:
    """Our registry as its own process."""

    root: Path
    port: int
    server: Server

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    def start(self) -> None:
        self.server.start()

    def stop(self) -> int:
        return self.server.stop()

    def kill(self) -> None:
        self.server.kill()

    def client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(base_url=self.url, timeout=60, verify=False)


def _answers(url: str) -> Callable[[], bool]:
    def ready() -> bool:
        try:
            return http.get(url, timeout=2).status_code < 500
        except httpx2.TransportError:
            return False

    return ready


def make_registry_server(
    root: Path,
    *,
    port: int | None = None,
    anonymous: str = "push",
    environment: Mapping[str, str] | None = None,
) -> RegistryServer:
    """A registry that is not started yet; its log is beside its root."""
    port = port or free_port()
    command: list[str | Path] = [
        *(sys.executable, "-m", "registry", "serve"),
        *("--root", root, "--listen", f"127.0.0.1:{port}", "--anonymous", anonymous),
    ]
    ready = _answers(f"http://127.0.0.1:{port}/readyz")
    settings = {**NO_FLOOR, **(environment or {})}
    server = Server(command, root.with_name(root.name + ".log"), ready, settings)
    return RegistryServer(root, port, server)


@contextmanager
def registry_server(
    root: Path,
    *,
    anonymous: str = "push",
    environment: Mapping[str, str] | None = None,
) -> Iterator[RegistryServer]:
    """A running registry; stopped again whatever the test does."""
    registry = make_registry_server(root, anonymous=anonymous, environment=environment)
    registry.start()
    try:
        yield registry
    finally:
        registry.stop()


@contextmanager
def docker_registry(root: Path) -> Iterator[str]:
    """Debian's docker-registry (distribution 2.8), as a peer; yields its host:port."""
    program = needs_program("docker-registry")
    port = free_port()
    root.mkdir(parents=True, exist_ok=True)
    config = root / "config.yml"
    config.write_text(
        "version: 0.1\nlog: {level: error}\n"
        f"storage: {{filesystem: {{rootdirectory: {root}/data}}, delete: {{enabled: true}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\n"
    )
    ready = _answers(f"http://127.0.0.1:{port}/v2/")
    server = Server([program, "serve", config], root / "registry.log", ready)
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop()


@contextmanager
def docker_daemon(directory: Path) -> Iterator[dict[str, str]]:
    """A dockerd of the test's own (Debian's docker.io); yields the environment for ``docker``.

    It has its own data, socket and pid file, and makes no bridge and no firewall rule.
    """
    program = needs_program("dockerd")
    needs_program("docker")
    directory.mkdir(parents=True, exist_ok=True)
    # A path of a Unix socket holds at most 108 bytes; pytest's directories can be longer.
    run = Path("/run") / f"slipway-test-{os.getpid()}-{secrets.token_hex(3)}"
    run.mkdir(mode=0o700)
    client = run / "client"
    client.mkdir()
    address = f"unix://{run}/docker.sock"
    environment = {"DOCKER_HOST": address, "DOCKER_CONFIG": str(client)}
    command: list[str | Path] = [
        *(program, "--host", address, "--pidfile", run / "docker.pid"),
        *("--data-root", directory / "data", "--exec-root", run / "exec"),
        *("--bridge", "none", "--iptables=false", "--ip-forward=false", "--ip-masq=false"),
        *("--storage-driver", "overlay2", "--log-level", "warn"),
    ]
    server = Server(command, directory / "dockerd.log", lambda: (run / "docker.sock").exists())
    server.start()
    try:
        yield environment
    finally:
        server.stop()
        shutil.rmtree(run, ignore_errors=True)
