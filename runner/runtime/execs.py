"""``runc exec`` as a daemon child: one more process inside a running container.

The child copies the process's streams and ends with its exit code, so nothing else watches it.
"""

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

from runner.runtime.children import Child, contents
from runner.runtime.errors import CommandNotFound
from runner.runtime.io import PipeStreams, set_size
from runner.runtime.runtime import Frame, ProcessSpec, StdStream
from runner.runtime.sentences import refusal

NOT_FOUND: Final = 127
NOT_EXECUTABLE: Final = 126


class RuncExec:
    """An ExecProcess.  ``files`` are the spec and the log, which runc opens by our /proc entry."""

    def __init__(
        self, child: Child, streams: PipeStreams, files: tuple[int, int], terminal: int | None
    ) -> None:
        self._child = child
        self._streams = streams
        self._terminal = terminal
        self._code = asyncio.create_task(self._settle(files))

    @property
    def pid(self) -> int:
        return _descendant(self._child.pid)

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
        if self._terminal is not None and not self._code.done():
            set_size(self._terminal, height, width)
            self._child.signal(signal.SIGWINCH)

    async def _settle(self, files: tuple[int, int]) -> int:
        """runc's own code; or, when its log says that it could not even start, docker's."""
        code = await self._child.wait()
        said = contents(files[1]).decode(errors="replace")
        for descriptor in (*files, *([self._terminal] if self._terminal is not None else [])):
            os.close(descriptor)
        if said and code != 0:
            return NOT_FOUND if isinstance(refusal(said), CommandNotFound) else NOT_EXECUTABLE
        return code if code >= 0 else 128 - code


async def spawn(
    command: Sequence[str], container: str, process: ProcessSpec, *, open_stdin: bool
) -> RuncExec:
    """Run ``command exec`` with this process; ``command`` is the runtime and its options."""
    with ExitStack() as undo:
        spec, log = os.memfd_create("process"), os.memfd_create("log")
        undo.callback(os.close, spec)
        undo.callback(os.close, log)
        os.write(spec, json.dumps(process).encode())
        options = (f"--log={_path(log)}", "exec", f"--process={_path(spec)}")
        args = (*command, *options, container)
        if process.get("terminal"):
            child, streams, terminal = await _on_terminal(args, process)
        else:
            child, streams = await _on_pipes(args, open_stdin=open_stdin)
            terminal = None
        undo.pop_all()
        return RuncExec(child, streams, (spec, log), terminal)


async def _on_pipes(args: Sequence[str], *, open_stdin: bool) -> tuple[Child, PipeStreams]:
    with ExitStack() as theirs:
        out, out_write = os.pipe()
        err, err_write = os.pipe()
        stdin_read, stdin = os.pipe() if open_stdin else (subprocess.DEVNULL, None)
        for descriptor in (out_write, err_write, *([stdin_read] if open_stdin else [])):
            theirs.callback(os.close, descriptor)
        outputs = {StdStream.STDOUT: out, StdStream.STDERR: err}
        streams = await PipeStreams.open(outputs, stdin)
        child = Child(args, stdin=stdin_read, stdout=out_write, stderr=err_write)
    return child, streams


async def _on_terminal(args: Sequence[str], process: ProcessSpec) -> tuple[Child, PipeStreams, int]:
    """Both ends of a new terminal: runc gets the slave, and makes it raw."""
    master, slave = os.openpty()
    try:
        size = process.get("consoleSize") or {}
        set_size(master, size.get("height", 0), size.get("width", 0))
        streams = await PipeStreams.open(
            {StdStream.STDOUT: os.dup(master)}, os.dup(master), terminal=True
        )
        child = Child(args, stdin=slave, stdout=slave, stderr=slave)
    finally:
        os.close(slave)
    return child, streams, master


def _path(descriptor: int) -> str:
    # Not inherited but opened: nothing of ours may reach the container's process.
    return f"/proc/{os.getpid()}/fd/{descriptor}"


def _descendant(pid: int) -> int:
    """The process that runc has started: its only child, whichever thread is the parent."""
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError, ValueError, IndexError):
            return int(children.read_text(encoding="ascii").split()[-1])
    return 0
