"""PendingStreams: streams of a container that has not started yet."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import suppress

from runner.runtime.contract import Frame, StdStream, Streams


class PendingStreams:
    """The streams of a process that may not have started yet.

    ``connect`` supplies the real streams, ``fail`` ends them without: one of the two, once.
    Readers wait until then.  ``before``, earlier output, is read first.
    """

    def __init__(
        self,
        wanted: Collection[StdStream],
        before: AsyncIterator[Frame] | None = None,
    ) -> None:
        self._wanted = frozenset(wanted)
        self._before = before
        self._inner: asyncio.Future[Streams | None] = asyncio.get_running_loop().create_future()
        self._closed = False

    @property
    def closed(self) -> bool:
        return self._closed

    async def connect(self, streams: Streams) -> None:
        if self._inner.done():
            # The reader has already closed.
            await streams.aclose()
        else:
            self._inner.set_result(streams)

    def fail(self) -> None:
        if not self._inner.done():
            self._inner.set_result(None)

    async def frames(self) -> AsyncIterator[Frame]:
        if self._before is not None:
            async for frame in self._before:
                yield frame
        streams = await asyncio.shield(self._inner)
        if streams is None:
            return
        async for frame in streams.frames():
            if frame.stream in self._wanted:
                yield frame

    async def write(self, content: bytes) -> None:
        streams = await asyncio.shield(self._inner)
        if streams is not None:
            await streams.write(content)

    async def close_stdin(self) -> None:
        streams = await asyncio.shield(self._inner)
        if streams is not None:
            await streams.close_stdin()

    async def aclose(self) -> None:
        self._closed = True
        self.fail()
        with suppress(asyncio.CancelledError):
            streams = self._inner.result()
            if streams is not None:
                await streams.aclose()
