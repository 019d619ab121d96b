"""Server: its address, readiness and shutdown."""

import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from registry.background import BackgroundTasks
from registry.server import (
    Server,
    SlipwayProtocol,
    listen,
)
from tests.support.registry.raw_http import Probe, connected, read_answer, read_to_end, running
from tests.support.registry.settings import default_limits

PROGRAM = """
import sys
from pathlib import Path
from typing import Any
from registry.background import BackgroundTasks
from registry.server import Server, listen
from tests.support.registry.raw_http import Probe
from tests.support.registry.settings import default_limits

limits = default_limits(shutdown_seconds=float(sys.argv[2]))
listener = listen("127.0.0.1", 0)
server = Server(
    Probe(Path(sys.argv[1])), listener, limits=limits, background=BackgroundTasks()
)
server.on_ready = lambda host, port: print(port, flush=True)
server.run()
print("finished", flush=True)
"""
GET = b"GET /plain HTTP/1.1\r\nHost: a\r\n\r\n"


@contextmanager
def process(
    directory: Path, shutdown_seconds: float = 30
) -> Iterator[tuple[subprocess.Popen[str], int]]:
    with subprocess.Popen(  # noqa: S603  (a fixed program)
        [sys.executable, "-c", PROGRAM, directory, str(shutdown_seconds)],
        cwd=Path(__file__).parents[3],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        try:
            yield server, int(server.stdout.readline())
        finally:
            server.kill()


def connect(port: int, data: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=60)
    connection.sendall(data)
    return connection


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_with_0_and_without_a_word(
    tmp_path: Path, number: signal.Signals
) -> None:
    with process(tmp_path) as (server, port), connect(port, GET) as idle:
        assert read_answer(idle).status == 200

        server.send_signal(number)
        out, err = server.communicate(timeout=60)

        assert server.returncode == 0
        assert (out, err) == ("finished\n", "")


def test_requests_in_progress_at_sigterm_finish_and_none_begins(tmp_path: Path) -> None:
    content = os.urandom(20 * 1024 * 1024)
    (tmp_path / "large").write_bytes(content)
    target = f"GET /file/large?0-{len(content)} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
    upload = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n"
    with (
        process(tmp_path) as (server, port),
        connect(port, target) as download,
        connect(port, upload + b"01234") as sender,
    ):
        first = download.recv(1000)
        server.send_signal(signal.SIGTERM)
        while is_accepting(port):
            threading.Event().wait(0.01)
        sender.sendall(b"56789")
        echoed = read_answer(sender)
        received = first + read_to_end(download)
        server.wait(60)

        assert server.returncode == 0
    assert echoed.body == b"0123456789"
    assert echoed.headers["connection"] == "close"
    assert received.endswith(content[-1000:])
    assert len(received) > len(content)


def is_accepting(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except ConnectionRefusedError:
        return False
    return True


def test_requests_over_the_shutdown_time_are_cut_off(tmp_path: Path) -> None:
    upload = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n"
    with process(tmp_path, shutdown_seconds=1) as (server, port), connect(port, upload) as sender:
        threading.Event().wait(0.2)
        server.send_signal(signal.SIGTERM)
        received = sender.recv(100)
        server.wait(60)

        assert received == b""
        assert server.returncode == 0


def test_ipv6_is_served() -> None:
    with running(Probe()) as server:
        assert server.address[0] == "127.0.0.1"
    with listen("::1", 0) as listener:
        assert listener.family == socket.AF_INET6


def test_an_application_stops_after_the_last_request_has_ended() -> None:
    order: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            order.append("stopped")
            await send({"type": "lifespan.shutdown.complete"})
            return
        try:
            await receive()
            await receive()
        finally:
            order.append("request ended")

    post = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n1"
    with running(app, default_limits(shutdown_seconds=0)) as server, connected(server, post):
        while not server.server_state.tasks:
            threading.Event().wait(0.01)

    assert order == ["request ended", "stopped"]


def test_a_server_admits_no_more_connections_than_it_has_descriptors_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (200, 200))
    monkeypatch.setattr(resource, "setrlimit", lambda _, pair: None)

    server = Server(
        Probe(),
        listen("127.0.0.1", 0),
        limits=default_limits(connections=10_000),
        background=BackgroundTasks(),
    )
    server.listener.close()

    assert server.limits.connections == 45


@pytest.mark.parametrize("given_protocol", [0, socket.IPPROTO_TCP])
def test_every_connection_is_without_delay(given_protocol: int) -> None:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, given_protocol)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    listener.setblocking(False)
    with running(Probe(), listener=listener) as server, connected(server, GET) as connection:
        read_answer(connection)
        [held] = server.server_state.connections
        assert isinstance(held, SlipwayProtocol)
        accepted = held.transport.get_extra_info("socket")

        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 60_000
