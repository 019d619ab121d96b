"""``runc exec``: one more process inside a running container.

With pipes, runc starts the process and exits: the process has the pipes themselves, and we, as
its subreaper (see linux/processes), read its exit code.  A runc that stayed would copy the
streams, wait until the last background process closed them, and forward the SIGPIPE of its
copying to a process that had closed its stdin.  On a terminal runc stays, and exits with the
process's exit code.
"""

import asyncio
import json
import os
import signal
import subprocess
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Final

from runner.linux.processes import become_subreaper, reap
from runner.runtime.children import Child, finish, read_memory_file
from runner.runtime.contract import Frame, ProcessSpec, StdStream
from runner.runtime.errors import CommandNotFound, RuntimeRefused
from runner.runtime.io import PipeStreams, set_size
from runner.runtime.messages import refusal

NOT_FOUND: Final = 127
NOT_EXECUTABLE: Final = 126
_UNKNOWN_CODE: Final = 255
# No container ID begins so: runc's state is in the same directory.
PID_FILE_PREFIX: Final = ".exec-"


class RuncExec:
    """An ExecProcess; ``end`` results in its exit code, ``terminal`` is the master's descriptor."""

    def __init__(
        self,
        streams: PipeStreams,
        pid: Callable[[], int],
        end: Coroutine[Any, Any, int],
        terminal: int | None = None,
        tell_resized: Callable[[], None] = lambda: None,
    ) -> None:
        self._streams = streams
        self._pid = pid
        self._terminal = terminal
        self._tell_resized = tell_resized
        self._code = asyncio.create_task(end)
        self._code.add_done_callback(self._ended)

    @property
    def pid(self) -> int:
        return 0 if self._code.done() else self._pid()

    def frames(self) -> AsyncIterator[Frame]:
        return self._streams.frames()

    async def write(self, content: bytes) -> None:
        await self._streams.write(content)

    async def close_stdin(self) -> None:
        await self._streams.close_stdin()

    async def aclose(self) -> None:
        await self._streams.aclose()

    async def wait(self) -> int:
        return await asyncio.shield(self._code)

    def resize(self, height: int, width: int) -> None:
        if self._terminal is not None:
            set_size(self._terminal, height, width)
            self._tell_resized()

    def _ended(self, _: asyncio.Task[int]) -> None:
        if self._terminal is None:
            self._streams.finish()
        else:
            os.close(self._terminal)
            self._terminal = None


async def spawn(
    command: Sequence[str],
    container: str,
    process: ProcessSpec,
    *,
    root: Path,
    open_stdin: bool,
    limit_seconds: float,
) -> RuncExec:
    """Run ``exec`` with this process; ``command`` is the runtime and its global options.

    ``root`` is a directory for a temporary pid file.
    """
    with ExitStack() as undo:
        spec, log = os.memfd_create("process"), os.memfd_create("log")
        undo.callback(os.close, spec)
        undo.callback(os.close, log)
        os.write(spec, json.dumps(process).encode())
        options = (f"--log={_fd_path(log)}", "exec", f"--process={_fd_path(spec)}")
        if not process.get("terminal"):
            pid_file = root / f"{PID_FILE_PREFIX}{uuid.uuid4().hex}"
            undo.callback(pid_file.unlink, missing_ok=True)
            detached = ("--detach", f"--pid-file={pid_file}")
            args = (*command, *options, *detached, container)
            child, streams = _on_pipes(args, open_stdin=open_stdin)
            try:
                code = await finish(child, f"{command[0]} exec", limit_seconds)
            except BaseException:
                await streams.aclose()
                raise
            return _adopt_process(streams, code, pid_file, read_memory_file(log))
        child, streams, terminal = _on_terminal((*command, *options, container), process)
        undo.pop_all()
    return RuncExec(
        streams,
        lambda: _descendant(child.pid),
        _wait_terminal_exit(child, (spec, log)),
        terminal,
        lambda: child.signal(signal.SIGWINCH),
    )


def _adopt_process(streams: PipeStreams, code: int, pid_file: Path, output: bytes) -> RuncExec:
    """Adopt the process that runc has started; or report one that could not be started."""
    if code != 0:
        return RuncExec(streams, lambda: 0, _failed(code, output))
    try:
        pid = int(pid_file.read_text(encoding="ascii"))
        # Our child: its pid is not reused until we reap it.
        pidfd = os.pidfd_open(pid)
    except (OSError, ValueError) as error:
        raise RuntimeRefused(f"the runtime started a process and lost it: {error}") from error
    return RuncExec(streams, lambda: pid, _wait_exit(pidfd))


async def _failed(code: int, output: bytes) -> int:
    """docker's exit code for a program that cannot be run, by runc's log; else runc's own code."""
    if output:
        found = refusal(output.decode(errors="replace"))
        return NOT_FOUND if isinstance(found, CommandNotFound) else NOT_EXECUTABLE
    return _shell_code(code)


async def _wait_exit(pidfd: int) -> int:
    """Wait for the process: its exit code, or 128 + the number of the signal that killed it."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(pidfd, ended.set)
    try:
        await ended.wait()
        code = reap(pidfd)
        return _UNKNOWN_CODE if code is None else _shell_code(code)
    finally:
        loop.remove_reader(pidfd)
        os.close(pidfd)


async def _wait_terminal_exit(child: Child, files: tuple[int, int]) -> int:
    code = await child.wait()
    output = read_memory_file(files[1])
    for descriptor in files:
        os.close(descriptor)
    return await _failed(code, output) if code != 0 else 0


def _shell_code(code: int) -> int:
    return code if code >= 0 else 128 - code


def _on_pipes(args: Sequence[str], *, open_stdin: bool) -> tuple[Child, PipeStreams]:
    become_subreaper()
    with ExitStack() as theirs:
        out, out_write = os.pipe()
        err, err_write = os.pipe()
        stdin_read, stdin = os.pipe() if open_stdin else (subprocess.DEVNULL, None)
        for descriptor in (out_write, err_write, *([stdin_read] if open_stdin else [])):
            theirs.callback(os.close, descriptor)
        streams = PipeStreams({StdStream.STDOUT: out, StdStream.STDERR: err}, stdin)
        child = Child(args, stdin=stdin_read, stdout=out_write, stderr=err_write)
    return child, streams


def _on_terminal(args: Sequence[str], process: ProcessSpec) -> tuple[Child, PipeStreams, int]:
    """Run with a new terminal: runc gets the slave, and makes it raw."""
    master, slave = os.openpty()
    try:
        size = process.get("consoleSize") or {}
        set_size(master, size.get("height", 0), size.get("width", 0))
        streams = PipeStreams({StdStream.STDOUT: os.dup(master)}, os.dup(master), terminal=True)
        child = Child(args, stdin=slave, stdout=slave, stderr=slave)
    finally:
        os.close(slave)
    return child, streams, master


def _fd_path(descriptor: int) -> str:
    # Opened by path, not inherited: no descriptor of ours may reach the container.
    return f"/proc/{os.getpid()}/fd/{descriptor}"


def _descendant(pid: int) -> int:
    """The pid of runc's only child, whichever of its threads is the parent."""
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError, ValueError, IndexError):
            return int(children.read_text(encoding="ascii").split()[-1])
    return 0
