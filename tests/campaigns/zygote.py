"""A zygote: one process that has imported the registry, and forks a new one in milliseconds.

``python -m tests.campaigns.zygote`` reads JSON lines: ``{"arguments": [...], "environment": {...},
"log": PATH}`` forks a child that is ``registry ARGUMENTS``, and answers with its process id;
``{"reap": PID}`` waits until that child has ended, and answers with its status.
"""

import contextlib
import gc
import importlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

READY_SECONDS = 60.0


class NotReady(Exception):
    """The server ended, or did not answer in time; with the end of its log."""


class Zygote:
    """Starts programs of the registry; ``source`` is the checkout they are imported from."""

    def __init__(self, source: Path | None = None) -> None:
        environment = dict(os.environ)
        if source is not None:
            environment["PYTHONPATH"] = str(source)
        self._process = subprocess.Popen(  # noqa: S603 - a fixed command of the test's own
            (sys.executable, __file__),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )
        self.source = self._ask({"source": True})

    def start(
        self,
        arguments: Sequence[str | Path],
        log: Path,
        environment: Mapping[str, str],
        *,
        wall_shift_ms: int = 0,
    ) -> int:
        """Fork ``registry ARGUMENTS``, which believes in a wall clock so far off; its id."""
        order = {
            "arguments": [str(argument) for argument in arguments],
            "environment": dict(environment),
            "log": str(log),
            "wall_shift_ms": wall_shift_ms,
        }
        pid: int = self._ask(order)
        return pid

    def reap(self, pid: int) -> int:
        """Wait until the process has ended; its exit code, negative for a signal."""
        status: int = self._ask({"reap": pid})
        return os.waitstatus_to_exitcode(status)

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def _ask(self, order: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


class CrashingRegistry:
    """A registry on one root that is killed and started again."""

    def __init__(
        self, zygote: Zygote, root: Path, port: int, environment: Mapping[str, str]
    ) -> None:
        self.zygote, self.root, self.port = zygote, root, port
        self.log = root.with_name(root.name + ".server.log")
        self._environment = {"REGISTRY_LOGS__LEVEL": "warning", **environment}
        self._environment.setdefault("REGISTRY_LOGS__REQUESTS", "false")
        self._pid: int | None = None
        self.wall_shift_ms = 0

    def start(self) -> None:
        """Start, and wait until it is ready.  Raises NotReady."""
        listen = f"127.0.0.1:{self.port}"
        arguments = ("serve", "--root", self.root, "--listen", listen, "--anonymous", "push")
        self._pid = self.zygote.start(
            arguments, self.log, self._environment, wall_shift_ms=self.wall_shift_ms
        )
        deadline = time.monotonic() + READY_SECONDS
        while not self.is_ready():
            if time.monotonic() > deadline or not _lives(self._pid):
                self.kill()
                raise NotReady(self.tail)
            time.sleep(0.005)

    def kill(self) -> None:
        """SIGKILL, and wait until nothing is left of the process."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        return self._end(signal.SIGTERM)

    def run(self, *arguments: str | Path) -> int:
        """Run another command of the registry to its end, into the same log; its exit code."""
        return self.zygote.reap(self.zygote.start(arguments, self.log, self._environment))

    @property
    def is_alive(self) -> bool:
        return self._pid is not None and _lives(self._pid)

    @property
    def pid(self) -> int:
        assert self._pid is not None, "the server was not started"
        return self._pid

    @property
    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-4000:]

    def _end(self, number: signal.Signals) -> int:
        if self._pid is None:
            return 0
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, number)
        code = self.zygote.reap(self._pid)
        self._pid = None
        return code

    def is_ready(self) -> bool:
        """Whether it answers that it takes requests of every kind."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5) as got:
                return bool(got.status == 200)
        except (urllib.error.URLError, OSError):
            return False


@contextlib.contextmanager
def a_zygote(source: Path | None = None) -> Iterator[Zygote]:
    zygote = Zygote(source)
    try:
        yield zygote
    finally:
        zygote.close()


def _lives(pid: int) -> bool:
    """Whether the process runs; one that has ended and is not reaped yet does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")


def main() -> None:
    import registry
    from registry.cli import main as command
    from registry.cli.entry import COMMANDS

    # Modules that are imported only when a command is used.
    for place, _ in COMMANDS.values():
        importlib.import_module(f"registry.cli.{place.partition('.')[0]}")
    gc.freeze()
    for line in sys.stdin:
        order = json.loads(line)
        if "reap" in order:
            answer: object = os.waitpid(order["reap"], 0)[1]
        elif "source" in order:
            answer = str(Path(registry.__file__).parents[1])
        else:
            answer = _fork(command, order)
        os.write(1, json.dumps(answer).encode() + b"\n")


def _fork(command: Callable[[list[str]], object], order: dict[str, Any]) -> int:
    pid = os.fork()
    if pid:
        return pid
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.environ.update(order["environment"])
    if shift := order["wall_shift_ms"]:
        clock = importlib.import_module("registry.storage.system_clock").SystemClock
        clock.wall_ms = lambda _: time.time_ns() // 1_000_000 + shift
    try:
        command(order["arguments"])
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
