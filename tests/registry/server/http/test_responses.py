"""Files are sent by sendfile, completely or by range, and the connection stays usable."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from registry.server import Server
from tests.support.registry.certificates import a_certificate
from tests.support.registry.files_probe import LARGE, SMALL, files_probe, get, last
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
from tests.support.registry.unreadable import BadPlace


@pytest.fixture
def probe(tmp_path: Path) -> Probe:
    return files_probe(tmp_path)


@pytest.fixture
def server(probe: Probe) -> Iterator[Server]:
    with running(probe, default_limits(write_stall_seconds=0.5)) as server:
        yield server


def test_requests_follow_a_file_on_the_same_connection(server: Server) -> None:
    target = f"/file/large?0-{len(LARGE)}"
    with connected(server) as connection:
        for _ in range(3):
            connection.sendall(get(target))
            assert read_answer(connection).body == LARGE
            connection.sendall(get("/file/small?0-4096"))
            assert read_answer(connection).body == SMALL
            connection.sendall(get("/plain"))
            assert read_answer(connection).body == b"hello"


def test_pipelined_requests_are_answered_in_their_order(server: Server) -> None:
    target = f"/file/large?0-{len(LARGE)}"

    found = talk(
        server, get(target) + get("/plain") + get("/file/small?0-10") + get(target) + last("/plain")
    )

    assert [answer.body for answer in found] == [LARGE, b"hello", SMALL[:10], LARGE, b"hello"]


def test_head_tells_the_length_and_sends_nothing(server: Server) -> None:
    with connected(server) as connection:
        connection.sendall(get(f"/file/large?0-{len(LARGE)}", method="HEAD") + last("/plain"))
        received = read_to_end(connection)

    head, _, rest = received.partition(b"\r\n\r\n")
    assert b"content-length: %d" % len(LARGE) in head
    assert rest.startswith(b"HTTP/1.1 200 OK\r\n")
    assert rest.endswith(b"hello")


@pytest.mark.parametrize("name", ["small", "large"])
def test_a_file_without_a_length_is_one_chunk(server: Server, name: str) -> None:
    found = talk(server, get(f"/unsized/{name}") + last("/plain"))

    content = {"small": SMALL, "large": LARGE}[name]
    assert [answer.body for answer in found] == [content, b"hello"]


def test_http_1_0_gets_no_chunks(server: Server) -> None:
    [answer] = talk(server, get("/stream", version="1.0"))

    assert "transfer-encoding" not in answer.headers
    assert answer.body == b"one,two,three"


@pytest.mark.parametrize("name", ["small", "large", "empty"])
def test_pathsend_sends_the_file(server: Server, name: str) -> None:
    found = talk(server, get(f"/path/{name}") + last("/plain"))

    content = {"small": SMALL, "large": LARGE, "empty": b""}[name]
    assert [answer.body for answer in found] == [content, b"hello"]


@pytest.mark.parametrize(
    ("numbers", "logged"), [("0-100-50", "too long"), ("0-50-100", "too short")]
)
def test_a_response_of_the_wrong_length_never_looks_complete(
    server: Server, caplog: pytest.LogCaptureFixture, numbers: str, logged: str
) -> None:
    with connected(server, get(f"/file/small?{numbers}") + get("/plain")) as connection:
        received = read_to_end(connection)

    assert b"hello" not in received
    assert logged in caplog.text


def test_a_disconnect_is_no_error_and_leaves_nothing_open(
    server: Server, probe: Probe, caplog: pytest.LogCaptureFixture
) -> None:
    before = open_files()
    for _ in range(5):
        probe.ended.clear()
        with connected(
            server, get(f"/file/large?0-{len(LARGE)}"), receive_buffer=4096
        ) as connection:
            connection.recv(1000)
        assert probe.ended.wait(60)

    assert talk(server, last("/plain"))[0].body == b"hello"
    assert eventually(lambda: open_files() <= before)
    assert set(probe.endings) == {"returned"}
    assert caplog.text == ""


def test_a_client_that_resets_is_no_error(
    server: Server, probe: Probe, caplog: pytest.LogCaptureFixture
) -> None:
    before = open_files()
    with connected(server, get(f"/file/large?0-{len(LARGE)}"), receive_buffer=4096) as connection:
        connection.recv(1000)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    assert probe.ended.wait(60)
    assert eventually(lambda: open_files() <= before)
    assert caplog.text == ""


@pytest.mark.parametrize("target", ["/file/large?0-9000000", "/echo"])
def test_ht_3_a_client_that_takes_nothing_is_let_go(
    server: Server, probe: Probe, target: str
) -> None:
    before = open_files()
    body = LARGE if target == "/echo" else b""
    request = get(target, f"Content-Length: {len(body)}") + body

    with connected(server, request, receive_buffer=4096) as connection:
        assert probe.ended.wait(60)
        # Its own end and one of the listener's side must be gone before it closes.
        assert eventually(lambda: open_files() <= before + 1)
        with pytest.raises(ConnectionResetError):
            read_to_end(connection)


def test_a_slow_client_that_takes_something_keeps_its_response(server: Server) -> None:
    pause = threading.Event()
    with connected(server, last("/file/large?0-2000000"), receive_buffer=4096) as connection:
        received = bytearray()
        for _ in range(8):
            received += connection.recv(100_000)
            pause.wait(0.2)
        received += read_to_end(connection)

    assert answers(bytes(received))[0].body == LARGE[:2_000_000]


def test_the_head_does_not_wait_for_a_late_body(server: Server, probe: Probe) -> None:
    with connected(server, last("/begin")) as connection:
        received = connection.recv(1000)
        probe.go_on.set()
        rest = read_to_end(connection)

    assert received.endswith(b"\r\n\r\n")
    assert rest == b"4\r\nlate\r\n0\r\n\r\n"


def test_a_small_answer_is_one_packet(server: Server) -> None:
    with connected(server, get("/plain")) as connection:
        assert connection.recv(1000).endswith(b"hello")
        connection.sendall(get("/file/small?0-10"))
        assert connection.recv(1000).endswith(SMALL[:10])


def test_a_bug_in_the_application_is_one_line_for_the_client(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    [answer] = talk(server, get("/crash"))

    assert answer.status == 500
    assert answer.body.startswith(b'{"errors":[{"code":"UNKNOWN"')
    assert b"LookupError" not in answer.body
    assert "a bug in the application" in caplog.text


def test_ht_2_a_line_end_in_a_response_header_is_never_sent(server: Server) -> None:
    [answer] = talk(server, get("/header"))

    assert answer.status == 500
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("name", ["small", "large"])
def test_over_tls_files_are_copied(probe: Probe, tmp_path: Path, name: str) -> None:
    certificate, theirs = a_certificate(tmp_path)
    content = {"small": SMALL, "large": LARGE}[name]
    with (
        running(probe, certificate=certificate) as server,
        connected(server) as connection,
        theirs.wrap_socket(connection, server_hostname="localhost") as secure,
    ):
        for _ in range(2):
            secure.sendall(get(f"/file/{name}?0-{len(content)}"))
            assert read_answer(secure).body == content
        secure.sendall(get("/echo", "Content-Length: 1000000", method="POST") + LARGE[:1_000_000])
        assert read_answer(secure).body == LARGE[:1_000_000]
    assert {scope["scheme"] for scope in probe.scopes} == {"https"}


def test_over_tls_a_read_that_fails_in_the_middle_breaks_the_connection(
    probe: Probe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    certificate, theirs = a_certificate(tmp_path)
    BadPlace(monkeypatch, tmp_path / "large", 1_000_000)
    with (
        running(probe, certificate=certificate) as server,
        connected(server) as connection,
        theirs.wrap_socket(connection, server_hostname="localhost") as secure,
    ):
        secure.sendall(get(f"/file/large?0-{len(LARGE)}") + get("/plain"))
        [answer] = answers(read_to_end(secure))

    assert answer.body == LARGE[:1_000_000]
    assert "could not read its disk: Input/output error" in caplog.text


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def eventually(claim: Callable[[], bool]) -> bool:
    pause = threading.Event()
    for _ in range(200):
        if claim():
            return True
        pause.wait(0.02)
    return False


def test_a_large_body_is_held_until_its_client_has_taken_it(tmp_path: Path) -> None:
    probe = Probe(tmp_path)
    body = bytes(8_000_000)
    head = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body)
    with running(probe) as server, connected(server, head + body, receive_buffer=4096) as client:
        client.recv(1)
        talk(server, last("/plain"))  # a turn of the loop later
        ended_early = list(probe.endings)
        received = 1 + len(read_answer_of(client, len(body)))

    assert ended_early == ["returned"]
    assert received > len(body)


def read_answer_of(client: socket.socket, count: int) -> bytes:
    received = bytearray()
    while len(received) < count:
        received += client.recv(1024 * 1024)
    return bytes(received)
