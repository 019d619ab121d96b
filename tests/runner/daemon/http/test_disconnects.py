"""DisconnectWatcher: a half-close is none, and a closed socket is one."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator

import pytest

from runner.daemon.http.disconnects import DisconnectWatcher


@pytest.fixture
async def watcher() -> AsyncIterator[DisconnectWatcher]:
    watcher = DisconnectWatcher()
    yield watcher
    watcher.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


async def test_a_client_that_closes_is_told_once(
    watcher: DisconnectWatcher, pair: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = pair
    told, gone = list[int](), asyncio.Event()

    def on_disconnect() -> None:
        told.append(1)
        gone.set()

    with watcher.watched(ours.fileno(), on_disconnect):
        theirs.close()
        async with asyncio.timeout(60):
            await gone.wait()
        for _ in range(3):
            await asyncio.sleep(0)

    assert told == [1]


async def test_a_half_close_and_unread_bytes_are_no_disconnect(
    watcher: DisconnectWatcher, pair: tuple[socket.socket, socket.socket]
) -> None:
    first, second = pair
    other, others_peer = socket.socketpair()
    gone, told = asyncio.Event(), list[str]()
    with (
        other,
        watcher.watched(first.fileno(), lambda: told.append("half-closed")),
        watcher.watched(other.fileno(), gone.set),
    ):
        second.send(b"bytes")
        second.shutdown(socket.SHUT_WR)
        others_peer.close()
        # epoll reports both in one call, if both are to be reported.
        async with asyncio.timeout(60):
            await gone.wait()

    assert told == []


async def test_a_closed_descriptor_counts_as_disconnected(watcher: DisconnectWatcher) -> None:
    ours, theirs = socket.socketpair()
    descriptor = ours.fileno()
    ours.close()
    theirs.close()
    told = list[str]()

    with watcher.watched(descriptor, lambda: told.append("gone")):
        assert told == ["gone"]


async def test_after_the_block_nothing_is_told(
    watcher: DisconnectWatcher, pair: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = pair
    told = list[str]()
    with watcher.watched(ours.fileno(), lambda: told.append("gone")):
        pass

    theirs.close()
    for _ in range(3):
        await asyncio.sleep(0)

    assert told == []
