"""The attach socket: found by any path, and read to the end however its monitor ends."""

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.runtime.contract import Frame, StdStream
from runner.runtime.monitor.attach_socket import AttachSocket


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A socket's path that has more bytes than its address may have."""
    directory = tmp_path / ("d" * 120)
    directory.mkdir()
    return directory / "attach"


@pytest.fixture
def monitor(path: Path) -> Iterator[socket.socket]:
    """A socket that listens there, as conmon's does."""
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(f"/proc/self/fd/{directory}/{path.name}")
        os.close(directory)
        listener.listen()
        yield listener


async def frames(streams: AttachSocket) -> list[Frame]:
    async with asyncio.timeout(60):
        return [frame async for frame in streams.frames()]


async def test_a_path_longer_than_an_address_is_connected_to(
    path: Path, monitor: socket.socket
) -> None:
    streams = AttachSocket.connect(path)
    accepted, _ = monitor.accept()
    with accepted:
        accepted.send(b"\x02said")

    assert await frames(streams) == [Frame(StdStream.STDOUT, b"said")]
    await streams.aclose()


async def test_output_sent_before_a_reset_is_read(path: Path, monitor: socket.socket) -> None:
    streams = AttachSocket.connect(path)
    accepted, _ = monitor.accept()
    await streams.write(b"nobody reads this")
    with accepted:
        accepted.send(b"\x02one")
        accepted.send(b"\x03two")

    assert await frames(streams) == [
        Frame(StdStream.STDOUT, b"one"),
        Frame(StdStream.STDERR, b"two"),
    ]
    await streams.aclose()


def test_nobody_there_is_an_error(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        AttachSocket.connect(path)


async def test_a_reader_far_behind_is_cut_off() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    client = AttachSocket(ours, max_backlog_bytes=1000)

    for _ in range(3):
        theirs.send(b"\x02" + b"x" * 600)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    assert await frames(client) == [Frame(StdStream.STDOUT, b"x" * 600)] * 2
    await client.aclose()
    theirs.close()
