"""Request bodies: bounded, in order, refused with a response, and kept after a disconnect."""

import os
import socket
import threading

import pytest

from registry.server import Server, SlipwayProtocol
from tests.support.registry.raw_http import (
    LAST,
    Probe,
    chunked,
    connected,
    held_by,
    post,
    read_answer,
    read_to_end,
    running,
    talk,
    with_length,
)

BODY = os.urandom(3_000_000)


@pytest.mark.parametrize(
    "request_bytes",
    [
        with_length("/echo", BODY),
        with_length("/echo", b""),
        with_length("/echo", b"a"),
        chunked("/echo", BODY, 1_000_000),
        chunked("/echo", BODY, 4096),
        chunked("/echo", BODY[:20_000], 1),
    ],
    ids=["length", "empty", "one byte", "large chunks", "page chunks", "byte chunks"],
)
def test_a_body_arrives_unchanged_and_the_next_request_after_it(
    server: Server, request_bytes: bytes
) -> None:
    echoed, following = talk(server, request_bytes + LAST)

    assert echoed.body in (BODY, b"", b"a", BODY[:20_000])
    assert echoed.body == expected_of(request_bytes)
    assert following.body == b"hello"


def expected_of(request_bytes: bytes) -> bytes:
    if b"chunked" not in request_bytes[:200]:
        return request_bytes.split(b"\r\n\r\n", 1)[1]
    return BODY if len(request_bytes) > 1_000_000 else BODY[:20_000]


def test_a_request_may_come_byte_by_byte(server: Server) -> None:
    with connected(server) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in chunked("/echo", b"hello, world", 5) + with_length("/echo", b"again") + LAST:
            connection.send(bytes([byte]))
        received = read_to_end(connection)

    assert received.count(b"HTTP/1.1 200 OK") == 3
    assert b"hello, world" in received
    assert b"again" in received


def test_an_unread_body_is_bounded_in_memory(server: Server, probe: Probe) -> None:
    with connected(server, post("/hold", "Content-Length: 1000000000")) as connection:
        assert probe.held.wait(60)
        connection.setblocking(False)
        sent = 0
        for _ in range(100):
            try:
                sent += connection.send(bytes(1024 * 1024))
            except BlockingIOError:
                threading.Event().wait(0.01)
        [held] = server.server_state.connections
        assert isinstance(held, SlipwayProtocol)
        waiting = sum(len(part) for part in held.cycle._parts)
        probe.go_on.set()

    # Sockets' buffers are the kernel's; the process holds a read or two.
    assert sent < 50 * 1024 * 1024
    assert 0 < waiting <= 1024 * 1024


def test_bytes_received_before_a_disconnect_reach_the_application(
    server: Server, probe: Probe
) -> None:
    with connected(server, post("/hold", "Content-Length: 1000") + b"a" * 600) as connection:
        assert probe.held.wait(60)
        connection.shutdown(socket.SHUT_WR)
        assert read_to_end(connection) == b""
    probe.go_on.set()

    assert probe.ended.wait(60)
    assert probe.endings[0] == "disconnected after 600"


def test_broken_chunks_end_the_body_for_the_application(server: Server, probe: Probe) -> None:
    with connected(server, post("/echo", "Transfer-Encoding: chunked") + b"3\r\nabc\r\n") as client:
        assert not probe.ended.wait(0.1)
        client.sendall(b"+3\r\nabc\r\n")
        answer = read_answer(client)

    assert answer.status == 400
    assert probe.ended.wait(60)
    assert probe.endings[0] == "disconnected after 3"
    assert probe.bodies == []


def test_continue_is_sent_once_the_application_reads(server: Server) -> None:
    head = post("/echo", "Content-Length: 5", "Expect: 100-continue", "Connection: close")
    with connected(server, head) as connection:
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"hello")
        received = read_to_end(connection)

    assert received.startswith(b"HTTP/1.1 200 OK")
    assert received.endswith(b"hello")


def test_a_client_that_waits_is_refused_without_its_body(server: Server, probe: Probe) -> None:
    head = post("/ignore", "Content-Length: 1000000000", "Expect: 100-continue")

    answers = talk(server, head)

    assert [answer.status for answer in answers] == [401]
    assert answers[0].headers["connection"] == "close"


def test_a_disconnect_is_reported_to_the_application(server: Server, probe: Probe) -> None:
    with connected(server, post("/echo", "Content-Length: 100") + b"abc"):
        pass

    assert probe.ended.wait(60)
    assert probe.endings[0] == "disconnected after 3"


def test_bytes_in_paths_are_decoded_once(server: Server, probe: Probe) -> None:
    talk(server, b"GET /a%252Fb%20c/%C3%A4?x=%20 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")

    [scope] = probe.scopes
    assert scope["path"] == "/a%2Fb c/ä"
    assert scope["raw_path"] == b"/a%252Fb%20c/%C3%A4"
    assert scope["query_string"] == b"x=%20"


def test_a_trailer_adds_nothing_to_the_head(server: Server, probe: Probe) -> None:
    request = post("/echo", "Transfer-Encoding: chunked", "Connection: close")

    talk(server, request + b"1\r\na\r\n0\r\nAuthorization: Basic YTpi\r\n\r\n")

    [scope] = probe.scopes
    assert b"authorization" not in dict(scope["headers"])


def test_a_body_in_chunks_of_one_byte_takes_no_more_than_it_has(probe: Probe) -> None:
    head = b"POST /hold HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    with running(probe) as server, connected(server, head) as connection:
        assert probe.held.wait(60)
        connection.sendall(b"1\r\nx\r\n" * 10_000)
        held = held_by(server)
        while held.cycle._waiting_bytes < 10_000:
            threading.Event().wait(0.01)
        parts = list(held.cycle._parts)
        probe.go_on.set()
        connection.sendall(b"0\r\n\r\n")
        assert read_answer(connection).status == 200

    assert [len(part) for part in parts] == [10_000]
