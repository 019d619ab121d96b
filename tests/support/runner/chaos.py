"""ChaosProxy: passes TCP on, and cuts the connections it is told to cut."""

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Self


class ChaosProxy:
    """Before the target; the n-th connection is cut after ``cuts[n]`` bytes of answer."""

    def __init__(self, target: str, cuts: list[int]) -> None:
        self._host, _, port = target.partition(":")
        self._port = int(port)
        self._cuts = cuts
        self.connections = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.host = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        cut = self._cuts[self.connections] if self.connections < len(self._cuts) else None
        self.connections += 1
        task = asyncio.get_running_loop().create_task(self._pass(reader, writer, cut))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, cut: int | None
    ) -> None:
        try:
            above_reader, above_writer = await asyncio.open_connection(self._host, self._port)
        except OSError:
            writer.transport.abort()
            return
        up = asyncio.create_task(_copy(reader, above_writer, None))
        try:
            await _copy(above_reader, writer, cut)
        finally:
            up.cancel()
            with suppress(asyncio.CancelledError):
                await up
            # An abort is what a cable pulled out looks like: no end of the answer, no goodbye.
            writer.transport.abort()
            above_writer.transport.abort()


async def _copy(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limit: int | None
) -> None:
    passed = 0
    with suppress(ConnectionError):
        while chunk := await reader.read(65536):
            if limit is not None and passed + len(chunk) > limit:
                writer.write(chunk[: limit - passed])
                await writer.drain()
                return
            passed += len(chunk)
            writer.write(chunk)
            await writer.drain()
