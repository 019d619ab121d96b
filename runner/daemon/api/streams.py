"""Streams of attach, exec and logs, in the Engine API's frames.

Engine API, ``ContainerAttach``, "Stream format".
https://docs.docker.com/engine/api/v1.44/#tag/Container/operation/ContainerAttach
"""

import asyncio
import struct
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress

from runner.daemon.http.messages import MULTIPLEXED_STREAM, RAW_STREAM, Duplex, Hijack, Request
from runner.runtime.contract import Frame, Streams

_HEADER = struct.Struct(">BxxxI")

# Before this version both kinds of stream had the raw stream's media type.
_STREAM_TYPE_SINCE = (1, 42)


def frame_bytes(frame: Frame, *, tty: bool) -> bytes:
    """Encode a frame with its stream's header; a terminal's output has none."""
    if tty:
        return frame.content
    return _HEADER.pack(frame.stream, len(frame.content)) + frame.content


def stream_type(request: Request, *, tty: bool) -> str:
    return RAW_STREAM if tty or request.version < _STREAM_TYPE_SINCE else MULTIPLEXED_STREAM


def hijack(
    request: Request, streams: Streams, *, tty: bool, stdin: bool, ends_input: bool = True
) -> Hijack:
    """Connect a process's streams to the client's connection, until either ends."""

    async def run(client: Duplex) -> None:
        feeding = asyncio.create_task(_copy_input(client, streams, ends_input)) if stdin else None
        try:
            async for frame in streams.frames():
                await client.write(frame_bytes(frame, tty=tty))
        finally:
            if feeding is not None:
                feeding.cancel()
                with suppress(asyncio.CancelledError):
                    await feeding

    return Hijack(run, stream_type(request, tty=tty), streams.aclose)


async def _copy_input(client: Duplex, streams: Streams, ends_input: bool) -> None:
    """Copy the client's bytes to stdin; a half-close ends only stdin."""
    with suppress(ConnectionError):
        while content := await client.read():
            await streams.write(content)
        if ends_input:
            await streams.close_stdin()


async def frame_stream(frames: AsyncIterator[Frame], *, tty: bool) -> AsyncGenerator[bytes, None]:
    """The body of a logs response."""
    async for frame in frames:
        yield frame_bytes(frame, tty=tty)
