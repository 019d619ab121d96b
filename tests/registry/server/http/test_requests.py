"""Request bodies: bounded, in order, refused with a response, and kept after a disconnect."""

import os
import socket
import threading
from collections.abc import Iterator

import pytest

from registry.server import Server, SlipwayProtocol
from tests.support.registry.raw_http import (
    Probe,
    answers,
    connected,
    read_answer,
    read_to_end,
    running,
    talk,
)
from tests.support.registry.settings import default_limits

BODY = os.urandom(3_000_000)


@pytest.fixture
def probe() -> Probe:
    return Probe()


@pytest.fixture
def server(probe: Probe) -> Iterator[Server]:
    with running(probe, default_limits(drain_bytes=1024 * 1024, drain_seconds=0.5)) as server:
        yield server


def held_by(server: Server) -> SlipwayProtocol:
    [held] = server.server_state.connections
    assert isinstance(held, SlipwayProtocol)
    return held


def post(target: str, *headers: str) -> bytes:
    lines = [f"POST {target} HTTP/1.1", "Host: a", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def with_length(target: str, body: bytes, *headers: str) -> bytes:
    return post(target, f"Content-Length: {len(body)}", *headers) + body


def chunked(target: str, body: bytes, size: int, *headers: str) -> bytes:
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    framed = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
    return post(target, "Transfer-Encoding: chunked", *headers) + framed + b"0\r\n\r\n"


LAST = b"GET /plain HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


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


def test_a_body_after_a_refusal_is_never_taken_for_a_request(server: Server, probe: Probe) -> None:
    canary = b"GET /canary HTTP/1.1\r\nHost: a\r\n\r\n"
    head = post("/ignore", f"Content-Length: {len(canary)}", "Expect: 100-continue")
    with connected(server, head) as connection:
        answer = read_answer(connection)
        connection.sendall(canary)
        rest = read_to_end(connection)

    assert answer.status == 401
    assert rest == b""
    assert probe.seen == ["POST /ignore"]


def test_a_refusal_reaches_a_client_that_is_still_sending(server: Server) -> None:
    body = bytes(900_000)
    with connected(server, with_length("/ignore", body)) as connection:
        answer = read_answer(connection)
        rest = read_to_end(connection)

    assert answer.status == 401
    assert answer.headers["connection"] == "close"
    assert rest == b""


def test_an_endless_body_after_a_refusal_is_cut(server: Server) -> None:
    with (
        connected(server, post("/ignore", "Content-Length: 1000000000")) as connection,
        pytest.raises((ConnectionResetError, BrokenPipeError)),
    ):
        connection.sendall(bytes(1_000_000_000))


def test_a_small_unread_body_keeps_the_connection(server: Server) -> None:
    with connected(server, post("/ignore", "Content-Length: 1000")) as connection:
        assert read_answer(connection).status == 401
        connection.sendall(bytes(1000) + LAST)
        answer = read_answer(connection)

    assert answer.body == b"hello"


def test_a_client_that_shut_its_direction_gets_its_answers(server: Server, probe: Probe) -> None:
    probe.go_on.set()
    request = b"GET /hold HTTP/1.1\r\nHost: a\r\n\r\n"
    with connected(server, request + request) as connection:
        connection.shutdown(socket.SHUT_WR)
        received = read_to_end(connection)

    assert received.count(b"HTTP/1.1 200 OK") == 2


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


def test_requests_that_wait_for_an_answer_are_not_parsed(probe: Probe) -> None:
    request = b"GET /hold HTTP/1.1\r\nHost: a\r\n\r\n"
    with running(probe) as server, connected(server, request * 1000) as connection:
        assert probe.held.wait(60)
        waiting = len(held_by(server).pipeline)
        probe.go_on.set()
        statuses = [read_answer(connection).status for _ in range(1000)]

    assert waiting == 0
    assert statuses == [200] * 1000


def test_too_many_pipelined_bytes_are_refused(probe: Probe) -> None:
    body = bytes(200_000)
    head = b"POST /hold HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body)
    probe.go_on.set()
    with running(probe, default_limits(pipelined_bytes=100)) as server:
        found = talk(server, head + body + b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 100)

    assert found[0].status == 200
    assert found[-1].status == 400
    assert b"more than 100 bytes of requests wait" in found[-1].body


def test_too_many_requests_behind_a_chunked_body_are_refused(probe: Probe) -> None:
    chunked = b"POST /hold HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    probe.go_on.set()
    with (
        running(probe, default_limits(pipelined_requests=5)) as server,
        connected(server, chunked) as sent,
    ):
        assert probe.held.wait(60)
        sent.sendall(b"0\r\n\r\n" + b"GET /hold HTTP/1.1\r\nHost: a\r\n\r\n" * 20)
        statuses = [answer.status for answer in answers(read_to_end(sent))]

    assert statuses == [200] * 6 + [400]


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


def test_more_connections_than_allowed_are_refused_and_then_admitted(probe: Probe) -> None:
    with running(probe, default_limits(connections=1)) as server:
        with connected(server, LAST.replace(b"Connection: close\r\n", b"")) as first:
            read_answer(first)
            with connected(server) as second:
                refused = read_answer(second)
        admitted = talk(server, LAST)

    assert refused.status == 503
    assert [answer.status for answer in admitted] == [200]
