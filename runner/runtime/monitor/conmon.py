"""Conmon: a Monitor that runs one conmon process per container.

https://github.com/containers/conmon/blob/main/docs/conmon.8.md

conmon runs the runtime's ``create``, so the container's process is its child: it keeps the
stdio and the terminal, writes the log, and leaves the exit code in a file.
"""

import asyncio
import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Final

from runner.linux import cgroups
from runner.linux.processes import kill_tree
from runner.runtime.children import Child, read_memory_file
from runner.runtime.contract import Launch
from runner.runtime.errors import RuntimeTimedOut
from runner.runtime.messages import refusal
from runner.runtime.monitor.monitored import Monitored

# Longer than other limits: ``create`` reads the image's files.
LIMIT_SECONDS: Final = 120.0

# conmon truncates a log that is not rotated in time (no daemon runs, or it is too slow) at
# LOG_LIMIT_FACTOR times its size, and at no less than LOG_BYTES.
LOG_LIMIT_FACTOR: Final = 4
LOG_BYTES: Final = 200_000_000

# A cgroup for all monitors: in the daemon's they would be killed with its service.
MONITORS_GROUP: Final = "/slipway/monitors"


class Conmon:
    """A Monitor; ``exits`` is the directory of exit codes, one file per container.

    ``log_bytes`` is the size below which no log is truncated.
    """

    def __init__(
        self,
        executable: str,
        runtime: str,
        runtime_root: Path,
        exits: Path,
        features: cgroups.Features,
        *,
        limit_seconds: float = LIMIT_SECONDS,
        log_bytes: int = LOG_BYTES,
    ) -> None:
        self._executable = executable
        self._runtime = runtime
        self._runtime_root = runtime_root
        self._exits = exits
        self._features = features
        self._limit_seconds = limit_seconds
        self._log_bytes = log_bytes
        self._mover = ThreadPoolExecutor(max_workers=1, thread_name_prefix="cgroups")
        exits.mkdir(mode=0o700, parents=True, exist_ok=True)

    async def create(self, launch: Launch) -> Monitored:
        """Two pipes, one child, and conmon's report on it.

        The kernel delays the first move into a cgroup after a pause by 10 ms.  conmon is moved
        while the runtime is starting, so that the two delays overlap.
        """
        with ExitStack() as ours, ExitStack() as theirs:
            sync, sync_write = os.pipe()
            start_read, start = os.pipe()
            errors = os.memfd_create("conmon")
            for descriptor in (sync, start, errors):
                ours.callback(os.close, descriptor)
            for descriptor in (sync_write, start_read):
                theirs.callback(os.close, descriptor)
            child = Child(
                self._arguments(launch),
                stderr=errors,
                pass_fds=(sync_write, start_read),
                environment={"_OCI_SYNCPIPE": str(sync_write), "_OCI_STARTPIPE": str(start_read)},
            )
            theirs.close()
            os.write(start, b"\0")
            try:
                async with asyncio.timeout(self._limit_seconds):
                    monitor, answer = await self._answer(child, launch, sync)
            except TimeoutError:
                self._kill(child, launch)
                raise RuntimeTimedOut(f"{self._runtime} create", self._limit_seconds) from None
            except BaseException:
                self._kill(child, launch)
                raise
            pid = _parse_create_result(answer, errors)
        return Monitored(launch, self._exits / launch.id, pid, monitor)

    async def _answer(self, child: Child, launch: Launch, sync: int) -> tuple[int, bytes]:
        """Wait for conmon's pid and its report on the runtime's ``create``."""
        loop = asyncio.get_running_loop()
        # The child forks conmon, writes its pid to the file, and exits.
        await child.wait()
        monitor = _read_pid(launch.bundle / "conmon.pid")
        moved = loop.run_in_executor(
            self._mover, cgroups.move, monitor, MONITORS_GROUP, self._features
        )
        answer = await _read_line(loop, sync)
        await moved
        return monitor, answer

    def _kill(self, child: Child, launch: Launch) -> None:
        """Kill a create in progress: conmon, the runtime, and the container's process."""
        kill_tree(child.pid, _read_pid(launch.bundle / "conmon.pid"))

    async def kill(self, container: str) -> None:
        pids = await asyncio.to_thread(_find_monitors, self._executable, container)
        kill_tree(*pids)

    async def adopt(self, launch: Launch) -> Monitored:
        exit_file = self._exits / launch.id
        monitor = _read_pid(launch.bundle / "conmon.pid")
        return Monitored(
            launch, exit_file, _read_pid(launch.bundle / "pidfile"), monitor, adopted=True
        )

    def discard_exit(self, container: str) -> None:
        """Remove the exit file of a deleted container."""
        (self._exits / container).unlink(missing_ok=True)

    def _arguments(self, launch: Launch) -> Sequence[str]:
        """conmon's command line.

        Without --no-new-keyring: each container gets its own session keyring.  It would otherwise
        share the daemon's, and could read the keys of the user who started that.
        """
        bundle = str(launch.bundle)
        flags = {
            "-t": launch.terminal,
            "-i": launch.open_stdin,
            "--leave-stdin-open": launch.open_stdin and not launch.stdin_once,
        }
        return (
            self._executable, "--api-version", "1", "-c", launch.id, "-u", launch.id,
            "-n", launch.id, "-r", self._runtime, "-b", bundle, "-p", f"{bundle}/pidfile",
            "-P", f"{bundle}/conmon.pid", "--exit-dir", str(self._exits), "--persist-dir", bundle,
            "--full-attach", "--no-sync-log", "-l", f"k8s-file:{launch.log}",
            "--log-level", "error",
            "--runtime-arg", f"--root={self._runtime_root}", "--runtime-arg", "--log=/dev/null",
            *(flag for flag, wanted in flags.items() if wanted),
            *_log_limit(launch, self._log_bytes),
        )  # fmt: skip


async def _read_line(loop: asyncio.AbstractEventLoop, descriptor: int) -> bytes:
    """Read up to a newline, or to the end."""
    os.set_blocking(descriptor, False)
    received = bytearray()
    finished: asyncio.Future[None] = loop.create_future()

    def read() -> None:
        with suppress(BlockingIOError):
            chunk = os.read(descriptor, 65536)
            received.extend(chunk)
            if (not chunk or b"\n" in chunk) and not finished.done():
                finished.set_result(None)

    loop.add_reader(descriptor, read)
    try:
        await finished
    finally:
        loop.remove_reader(descriptor)
    return bytes(received)


def _parse_create_result(answer: bytes, errors: int) -> int:
    """Parse the container's pid; RuntimeRefused with the message of conmon or the runtime."""
    try:
        document: dict[str, Any] = json.loads(answer)
        pid = int(document["data"])
    except (ValueError, KeyError, TypeError):
        raise refusal(read_memory_file(errors).decode(errors="replace")) from None
    if pid <= 0:
        raise refusal(str(document.get("message", "")))
    return pid


def _log_limit(launch: Launch, least_bytes: int) -> Sequence[str]:
    if not launch.log_file_bytes:
        return ()
    return ("--log-size-max", str(max(LOG_LIMIT_FACTOR * launch.log_file_bytes, least_bytes)))


def _find_monitors(executable: str, container: str) -> tuple[int, ...]:
    """The pids of this container's conmons, by command line: a pid file may not exist yet."""
    begin, named = executable.encode() + b"\0", f"\0-c\0{container}\0".encode()
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError):
            words = Path(f"/proc/{name}/cmdline").read_bytes()
            if words.startswith(begin) and named in words:
                found.append(int(name))
    return tuple(found)


def _read_pid(file: Path) -> int:
    """Read a pid from a file; 0 if it is missing."""
    try:
        return int(file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 0
