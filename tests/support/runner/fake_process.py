"""FakeProcess: a program of a test as a coroutine; its outputs, its stdin and its signals.

It behaves as the first process of a container does: a signal that it does not trap is ignored,
but for SIGKILL.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from runner.runtime.contract import Frame, StdStream
from runner.runtime.errors import NotRunning

SIGWINCH = 28
_SIGKILL = 9

Program = Callable[["FakeProcess"], Awaitable[int]]
Output = Callable[[Frame], None]


class FakeProcess:
    """One program: made, started once, ended by itself or by a SIGKILL.

    ``output`` is told each frame.  Paused, it goes on at its next ``read``, ``signal`` or
    ``pause_point`` only when it is resumed, and signals wait until then.
    """

    def __init__(self, program: Program, spec: Mapping[str, Any], output: Output) -> None:
        self.spec = spec
        self.terminal = bool(spec.get("terminal"))
        size = spec.get("consoleSize") or {}
        self.size = (size.get("height", 0), size.get("width", 0))
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._program = program
        self._output = output
        self._task: asyncio.Task[None] | None = None
        self._stdin: asyncio.Queue[bytes] = asyncio.Queue()
        self._signals: asyncio.Queue[int] = asyncio.Queue()
        self._trapped: set[int] = set()
        self._waiting: list[int] = []
        self._resumed = asyncio.Event()
        self._resumed.set()

    # Calls of its program.

    def out(self, text: str) -> None:
        self._write(StdStream.STDOUT, text.encode())

    def err(self, text: str) -> None:
        self._write(StdStream.STDERR, text.encode())

    async def read(self) -> bytes:
        """Some of stdin; nothing once it has ended."""
        chunk = await self._stdin.get()
        if not chunk:
            self._stdin.put_nowait(b"")
        await self.pause_point()
        return chunk

    def trap(self, *numbers: int) -> None:
        self._trapped.update(numbers)

    async def signal(self) -> int:
        """The next trapped signal."""
        number = await self._signals.get()
        await self.pause_point()
        return number

    async def pause_point(self) -> None:
        await self._resumed.wait()

    # Calls of the runtime and the monitor.

    @property
    def paused(self) -> bool:
        return not self._resumed.is_set()

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    def send(self, number: int) -> None:
        """Deliver a signal, now or when it is resumed; NotRunning after the end."""
        if self.ended.done():
            raise NotRunning("the process has ended")
        if self.paused:
            self._waiting.append(number)
        elif number == _SIGKILL:
            self.kill()
        elif number in self._trapped:
            self._signals.put_nowait(number)

    def kill(self) -> None:
        """End it as a SIGKILL does, also before its start."""
        if self._task is not None:
            self._task.cancel()
        self._end(128 + _SIGKILL)

    def pause(self) -> None:
        self._resumed.clear()

    def resume(self) -> None:
        self._resumed.set()
        waiting, self._waiting = self._waiting, []
        for number in waiting:
            with suppress(NotRunning):
                self.send(number)

    def feed(self, content: bytes) -> None:
        """Input; no bytes are its end."""
        self._stdin.put_nowait(content)

    def resize(self, height: int, width: int) -> None:
        if self.terminal:
            self.size = (height, width)
            with suppress(NotRunning):
                self.send(SIGWINCH)

    async def _run(self) -> None:
        code = 1
        try:
            code = await self._program(self)
        finally:
            # A kill has ended it with a code of its own.
            self._end(code)

    def _end(self, code: int) -> None:
        if not self.ended.done():
            self.ended.set_result(code)

    def _write(self, stream: StdStream, content: bytes) -> None:
        if self.terminal:
            stream, content = StdStream.STDOUT, content.replace(b"\n", b"\r\n")
        self._output(Frame(stream, content))


class FakeStreams:
    """The Streams of a FakeProcess: what it writes from now on, until it ends.

    ``close_stdin`` ends its input only if ``ends_input``.
    """

    def __init__(self, process: FakeProcess, *, takes_input: bool, ends_input: bool) -> None:
        self._process = process
        self._takes_input = takes_input
        self._ends_input = ends_input
        self._frames: deque[Frame] = deque()
        self._news = asyncio.Event()
        self._ended = False
        process.ended.add_done_callback(lambda _: self._end())

    def take(self, frame: Frame) -> None:
        if not self._ended:
            self._frames.append(frame)
            self._news.set()

    async def frames(self) -> AsyncIterator[Frame]:
        while True:
            while self._frames:
                yield self._frames.popleft()
            if self._ended:
                return
            self._news.clear()
            await self._news.wait()

    async def write(self, content: bytes) -> None:
        if self._takes_input and content:
            self._process.feed(content)

    async def close_stdin(self) -> None:
        if self._takes_input and self._ends_input:
            self._process.feed(b"")

    async def aclose(self) -> None:
        self._end()

    def _end(self) -> None:
        self._ended = True
        self._news.set()


class FakeExec(FakeStreams):
    """The ExecProcess of a FakeProcess."""

    def __init__(self, process: FakeProcess, pid: int, *, open_stdin: bool) -> None:
        super().__init__(process, takes_input=open_stdin, ends_input=True)
        self._pid = pid

    @property
    def pid(self) -> int:
        return 0 if self._process.ended.done() else self._pid

    async def wait(self) -> int:
        return await asyncio.shield(self._process.ended)

    def resize(self, height: int, width: int) -> None:
        self._process.resize(height, width)
