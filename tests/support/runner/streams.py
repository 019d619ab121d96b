"""Streams of a process under test: read to their end, or until a text has come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from runner.runtime.contract import Frame, StdStream, Streams


async def collected(streams: Streams) -> dict[StdStream, bytes]:
    """All output, by stream."""
    found = {StdStream.STDOUT: b"", StdStream.STDERR: b""}
    async with asyncio.timeout(60):
        async for frame in streams.frames():
            found[frame.stream] += frame.content
    return found


async def until(frames: AsyncIterator[Frame], text: bytes) -> bytes:
    """Read until the text has come; returns the output up to it."""
    seen = b""
    async with asyncio.timeout(20):
        async for frame in frames:
            seen += frame.content
            if text in seen:
                return seen
    raise AssertionError(f"the output ended with {seen!r}")
