"""Our runner in tests: its daemon as a process of its own, and the command that talks to it."""

import os
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.images import a_busybox_layer
from tests.support.processes import Server, needs_program

COMMAND_SECONDS = 60


@dataclass
class Runner:
    """One daemon and its root.  The run directory is short: the sockets in it must fit."""

    root: Path
    run_dir: Path
    server: Server
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def socket(self) -> Path:
        return self.run_dir / "s"

    @property
    def docker_host(self) -> str:
        return f"unix://{self.socket}"

    def start(self) -> None:
        self.server.start()

    def stop(self) -> int:
        return self.server.stop()

    def kill(self) -> None:
        self.server.kill()

    def argv(self, *words: str) -> list[str]:
        """The command line of ``runner`` with these words, for this daemon."""
        return [sys.executable, "-m", "runner", "--socket", str(self.socket), *words]

    def try_(
        self, *words: str, stdin: bytes = b"", cwd: Path | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Run the command, whatever comes of it."""
        return subprocess.run(  # noqa: S603  (a fixed command of the test's own)
            self.argv(*words),
            input=stdin,
            capture_output=True,
            timeout=COMMAND_SECONDS,
            env={**os.environ, **self.environment},
            cwd=cwd,
        )

    def __call__(self, *words: str, stdin: bytes = b"") -> str:
        """Run the command, fail the test unless it succeeds, and return what it printed."""
        done = self.try_(*words, stdin=stdin)
        if done.returncode != 0:
            pytest.fail(
                f"runner {' '.join(words)}: exit code {done.returncode}\n"
                f"{done.stderr.decode(errors='replace')}\n{self.server.tail}"
            )
        return done.stdout.decode()

    def import_busybox(self, name: str = "busybox") -> str:
        """Make an image whose containers run; returns its name."""
        self("import", "-c", 'CMD ["sh"]', "-", name, stdin=a_busybox_layer().tar)
        return name


@contextmanager
def runner(
    root: Path, *flags: str, environment: Mapping[str, str] | None = None
) -> Iterator[Runner]:
    """A running daemon; afterwards its containers are removed and it is stopped."""
    needs_program("runc")
    needs_program("conmon")
    run_dir = Path("/run") / f"st-{os.getpid()}-{secrets.token_hex(3)}"
    run_dir.mkdir(mode=0o755)
    path = run_dir / "s"
    command: list[str | Path] = [
        *(sys.executable, "-m", "runner.daemon"),
        *("--root", str(root), "--socket", str(path), *flags),
    ]
    log = root.with_name(root.name + ".log")
    made = Runner(root, run_dir, Server(command, log, lambda: _answers(path)), environment or {})
    made.start()
    try:
        yield made
    finally:
        if made.server.process is not None and made.server.process.poll() is not None:
            made.start()
        names = made("ps", "-aq", "--no-trunc").split()
        if names:
            made.try_("rm", "-f", *names)
        made.stop()
        shutil.rmtree(run_dir, ignore_errors=True)


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe, suppress(OSError):
        probe.connect(str(path))
        return True
    return False
