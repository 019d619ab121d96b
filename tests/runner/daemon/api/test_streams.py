"""Streams on the wire: frames with headers, and a client's bytes as input."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from runner.daemon.api.streams import frame_bytes, frame_stream, hijack, stream_type
from runner.daemon.http.messages import MULTIPLEXED_STREAM, RAW_STREAM, Query, Request
from runner.runtime.contract import Frame, StdStream


async def nothing() -> AsyncIterator[bytes]:
    for chunk in list[bytes]():
        yield chunk


def request(version: tuple[int, int] = (1, 44)) -> Request:
    return Request("POST", "/containers/x/attach", version, Query.parse(""), {}, nothing())


class Client:
    """Sends these chunks, then closes its half."""

    def __init__(self, *chunks: bytes) -> None:
        self.received = b""
        self._chunks = [*chunks, b""]

    async def read(self) -> bytes:
        return self._chunks.pop(0)

    async def write(self, content: bytes) -> None:
        self.received += content


class Process:
    """Its output ends when its input has, or with no input at once."""

    def __init__(self, *, reads: bool) -> None:
        self.read = b""
        self.input_ended = asyncio.Event()
        if not reads:
            self.input_ended.set()

    async def frames(self) -> AsyncIterator[Frame]:
        yield Frame(StdStream.STDOUT, b"out")
        await asyncio.wait_for(self.input_ended.wait(), 60)
        yield Frame(StdStream.STDERR, b"err")

    async def write(self, content: bytes) -> None:
        self.read += content

    async def close_stdin(self) -> None:
        self.input_ended.set()

    async def aclose(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize(
    ("stream", "tty", "encoded"),
    [
        (StdStream.STDOUT, False, b"\x01\0\0\0\0\0\x01\x00" + bytes(256)),
        (StdStream.STDERR, False, b"\x02\0\0\0\0\0\x01\x00" + bytes(256)),
        (StdStream.STDOUT, True, bytes(256)),
    ],
)
def test_a_frame_has_its_stream_and_its_length(
    stream: StdStream, tty: bool, encoded: bytes
) -> None:
    assert frame_bytes(Frame(stream, bytes(256)), tty=tty) == encoded


@pytest.mark.parametrize(
    ("version", "tty", "media_type"),
    [
        ((1, 44), False, MULTIPLEXED_STREAM),
        ((1, 42), False, MULTIPLEXED_STREAM),
        ((1, 41), False, RAW_STREAM),
        ((1, 44), True, RAW_STREAM),
    ],
)
def test_the_media_type_is_the_versions(
    version: tuple[int, int], tty: bool, media_type: str
) -> None:
    assert stream_type(request(version), tty=tty) == media_type


async def test_a_half_close_of_the_client_ends_the_input_and_no_output() -> None:
    client, process = Client(b"one", b"two"), Process(reads=True)

    await hijack(request(), process, tty=True, stdin=True).run(client)

    assert process.read == b"onetwo"
    assert client.received == b"outerr"


async def test_without_stdin_nothing_of_the_client_is_read() -> None:
    client, process = Client(b"one"), Process(reads=False)

    await hijack(request(), process, tty=True, stdin=False).run(client)

    assert (process.read, client.received) == (b"", b"outerr")


async def test_logs_are_the_same_frames() -> None:
    chunks = [chunk async for chunk in frame_stream(Process(reads=False).frames(), tty=False)]

    assert chunks == [b"\x01\0\0\0\0\0\0\x03out", b"\x02\0\0\0\0\0\0\x03err"]
