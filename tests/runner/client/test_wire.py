"""The command's HTTP, against answers written by hand."""

import socket
import threading
from collections.abc import Iterator

import pytest

from runner.client.wire import DaemonRefused, DaemonResponse, DaemonUnreachable, exchange


def answered(*pieces: bytes) -> DaemonResponse:
    """An answer that arrives in these pieces."""
    ours, theirs = socket.socketpair()

    def send() -> None:
        with theirs:
            for piece in pieces:
                theirs.sendall(piece)

    threading.Thread(target=send).start()
    return DaemonResponse(ours)


def test_a_body_with_a_length() -> None:
    answer = answered(b"HTTP/1.1 200 OK\r\nContent-", b"Length: 5\r\n\r\nhel", b"lo")

    assert answer.status == 200
    assert answer.body() == b"hello"


def test_a_chunked_body_in_single_bytes() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    wire = head + b"3\r\nabc\r\n0a\r\n0123456789\r\n0\r\n\r\n"

    answer = answered(*(wire[at : at + 1] for at in range(len(wire))))

    assert answer.body() == b"abc0123456789"


def test_documents_come_as_lines_whatever_the_chunks_are() -> None:
    answer = answered(
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{"a"\r\n',
        b'8\r\n:1}\n{"b"\r\n4\r\n:2}\n\r\n0\r\n\r\n',
    )

    assert list(answer.documents()) == [{"a": 1}, {"b": 2}]


def test_a_continue_is_passed_over() -> None:
    answer = answered(b"HTTP/1.1 100 \r\n\r\nHTTP/1.1 204 No Content\r\n\r\n")

    assert answer.status == 204
    assert answer.body() == b""


def test_a_refusal_has_the_daemons_sentence() -> None:
    body = b'{"message":"No such container: x"}'
    head = b"HTTP/1.1 404 Not Found\r\nContent-Length: %d\r\n\r\n" % len(body)

    with pytest.raises(DaemonRefused, match="No such container: x") as caught:
        answered(head + body).check()
    assert caught.value.status == 404


@pytest.mark.parametrize(
    "wire",
    [
        b"",
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"x" * 100_000,
    ],
)
def test_an_answer_that_breaks_off_is_an_error(wire: bytes) -> None:
    with pytest.raises(DaemonUnreachable):
        answered(wire).body()


def test_a_refusal_is_read_though_the_body_was_not_wanted() -> None:
    ours, theirs = socket.socketpair()

    def refuse() -> None:
        with theirs:
            theirs.recv(10)
            theirs.sendall(b'HTTP/1.1 400 Bad\r\nContent-Length: 17\r\n\r\n{"message":"too"}')
            theirs.shutdown(socket.SHUT_RD)

    def endless() -> Iterator[bytes]:
        for _ in range(1000):
            yield b"x" * 100_000

    threading.Thread(target=refuse).start()

    with pytest.raises(DaemonRefused, match="too"):
        exchange(ours, "POST", "/images/load", {}, endless()).check()
    ours.close()
