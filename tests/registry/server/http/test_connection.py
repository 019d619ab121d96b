"""Connection: requests in their order, refusals that reach the client, and the limits of both."""

import socket

import pytest

from registry.server import Server
from tests.support.registry.raw_http import (
    LAST,
    Probe,
    answers,
    connected,
    held_by,
    post,
    read_answer,
    read_to_end,
    running,
    talk,
    with_length,
)
from tests.support.registry.settings import default_limits


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


def test_more_connections_than_allowed_are_refused_and_then_admitted(probe: Probe) -> None:
    with running(probe, default_limits(connections=1)) as server:
        with connected(server, LAST.replace(b"Connection: close\r\n", b"")) as first:
            read_answer(first)
            with connected(server) as second:
                refused = read_answer(second)
        admitted = talk(server, LAST)

    assert refused.status == 503
    assert [answer.status for answer in admitted] == [200]
