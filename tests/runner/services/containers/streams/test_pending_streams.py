import asyncio
from collections.abc import AsyncIterator

from runner.runtime.contract import Frame, StdStream
from runner.services.containers.streams.pending_streams import PendingStreams

OUT, ERR = StdStream.STDOUT, StdStream.STDERR


class SomeStreams:
    """Streams that have these frames, and remember what was written."""

    def __init__(self, *frames: Frame) -> None:
        self._frames = frames
        self.written = b""
        self.ended = False
        self.closed = False

    async def frames(self) -> AsyncIterator[Frame]:
        for frame in self._frames:
            yield frame

    async def write(self, content: bytes) -> None:
        self.written += content

    async def close_stdin(self) -> None:
        self.ended = True

    async def aclose(self) -> None:
        self.closed = True


async def read(streams: PendingStreams) -> list[Frame]:
    return [frame async for frame in streams.frames()]


async def test_a_reader_waits_until_there_is_something_to_read() -> None:
    awaited = PendingStreams((OUT, ERR))
    reading = asyncio.create_task(read(awaited))
    await asyncio.sleep(0)
    assert not reading.done()

    await awaited.connect(SomeStreams(Frame(OUT, b"a"), Frame(ERR, b"b")))

    assert await reading == [Frame(OUT, b"a"), Frame(ERR, b"b")]


async def test_only_the_wanted_outputs_are_read() -> None:
    awaited = PendingStreams((ERR,))
    await awaited.connect(SomeStreams(Frame(OUT, b"a"), Frame(ERR, b"b")))

    assert await read(awaited) == [Frame(ERR, b"b")]


async def test_earlier_output_comes_first() -> None:
    awaited = PendingStreams((OUT,), SomeStreams(Frame(OUT, b"before")).frames())
    await awaited.connect(SomeStreams(Frame(OUT, b"now")))

    assert await read(awaited) == [Frame(OUT, b"before"), Frame(OUT, b"now")]


async def test_input_waits_too_and_then_arrives() -> None:
    awaited, real = PendingStreams((OUT,)), SomeStreams()
    writing = asyncio.create_task(awaited.write(b"typed early"))
    await asyncio.sleep(0)

    await awaited.connect(real)
    await writing
    await awaited.close_stdin()

    assert (real.written, real.ended) == (b"typed early", True)


async def test_when_nothing_will_come_reading_ends_and_writing_goes_nowhere() -> None:
    awaited = PendingStreams((OUT,))
    reading = asyncio.create_task(read(awaited))

    awaited.fail()

    assert await reading == []
    await awaited.write(b"lost")
    await awaited.close_stdin()


async def test_streams_closed_before_the_start_leave_none_open() -> None:
    awaited, real = PendingStreams((OUT,)), SomeStreams()
    await awaited.aclose()

    await awaited.connect(real)

    assert awaited.closed
    assert real.closed


async def test_closing_closes_what_was_connected() -> None:
    awaited, real = PendingStreams((OUT,)), SomeStreams()
    await awaited.connect(real)

    await awaited.aclose()
    await awaited.aclose()

    assert real.closed
