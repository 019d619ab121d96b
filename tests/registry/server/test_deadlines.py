"""HT-3: clients that send or read nothing are disconnected, and no others."""

import contextlib
import select
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from registry.server import Server, SlipwayProtocol
from registry.server.deadlines import RateMeter
from tests.support.registry.raw_http import Probe, connected, read_answer, read_to_end, running
from tests.support.registry.settings import default_limits

LIMITS = default_limits(
    header_seconds=0.4,
    keep_alive_seconds=1.5,
    body_window_seconds=0.4,
    body_bytes_per_second=1000,
    drain_seconds=0.3,
)
# For clients that keep to it: on a busy machine they may have no turn for a second.
LONG_WINDOW = replace(LIMITS, body_window_seconds=2.0)
GET = b"GET /plain HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture
def server(probe: Probe) -> Iterator[Server]:
    with running(probe, LIMITS) as server:
        yield server


def drip(connection: socket.socket, data: bytes, seconds: float) -> None:
    pause = threading.Event()
    for byte in data:
        pause.wait(seconds)
        connection.send(bytes([byte]))


def test_a_head_that_drips_is_refused_at_its_deadline(server: Server) -> None:
    started = time.monotonic()
    with connected(server) as connection, pytest.raises((ConnectionResetError, BrokenPipeError)):
        drip(connection, GET * 2, 0.05)
    assert time.monotonic() - started > 0.3


def test_a_silent_connection_is_closed_without_a_word(server: Server) -> None:
    started = time.monotonic()
    with connected(server) as connection:
        assert read_to_end(connection) == b""
    assert time.monotonic() - started > 0.3


def test_an_idle_connection_is_kept_for_its_time(server: Server) -> None:
    with connected(server, GET) as connection:
        read_answer(connection)
        threading.Event().wait(0.5)
        started = time.monotonic()
        connection.sendall(GET)
        assert read_answer(connection).body == b"hello"
        assert read_to_end(connection) == b""
    assert time.monotonic() - started > 1.2


def test_by_default_it_is_kept_longer_than_go_clients_keep_theirs() -> None:
    assert default_limits().keep_alive_seconds > 90
    assert default_limits().header_seconds <= 10
    assert default_limits().write_stall_seconds <= 60


def test_the_next_head_after_an_answer_has_the_same_deadline(server: Server) -> None:
    with connected(server, GET + GET[:20]) as connection:
        assert read_answer(connection).status == 200
        assert read_answer(connection).status == 408
        assert read_to_end(connection) == b""


def test_a_body_below_the_rate_is_refused(server: Server, probe: Probe) -> None:
    head = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n"
    with connected(server, head + b"a") as connection:
        answer = read_answer(connection)

    assert answer.status == 408
    assert probe.ended.wait(60)
    assert probe.endings[0] == "disconnected after 1"


def test_a_body_at_the_rate_may_take_any_time(probe: Probe) -> None:
    head = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n"
    with running(probe, LONG_WINDOW) as server, connected(server, head) as connection:
        for _ in range(20):
            threading.Event().wait(0.15)
            connection.sendall(bytes(3000))
        answer = read_answer(connection)

    assert answer.status == 200
    assert answer.body == bytes(60000)


def test_an_application_may_take_longer_than_any_deadline(server: Server, probe: Probe) -> None:
    body = bytes(3_000_000)
    head = b"POST /hold HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body)
    with connected(server, head) as connection:
        sender = threading.Thread(target=connection.sendall, args=(body,))
        sender.start()
        threading.Event().wait(1.5)
        probe.go_on.set()
        answer = read_answer(connection)
        sender.join()

    assert answer.body == b"hello"


def test_a_client_that_was_not_told_to_continue_is_not_slow(probe: Probe) -> None:
    head = b"POST /hold HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
    with running(probe, LONG_WINDOW) as server, connected(server, head) as connection:
        threading.Event().wait(3)
        probe.go_on.set()
        assert connection.recv(100).startswith(b"HTTP/1.1 100 Continue")
        connection.sendall(b"abc")
        assert read_answer(connection).body == b"hello"


def test_a_client_that_never_reads_its_refusal_is_let_go(server: Server) -> None:
    with connected(server, b"\0\0\0") as connection:
        assert read_answer(connection).status == 400
        # The other direction stays open: the server does not wait for it for ever.
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            drip(connection, bytes(1000), 0.05)


def test_clients_that_reset_on_a_refusal_do_not_end_other_deadlines(server: Server) -> None:
    """Shutting down a socket that was reset raises: that once ended the only watch there was."""
    for _ in range(4):
        with contextlib.ExitStack() as stack:
            several = [stack.enter_context(connected(server, GET[:20])) for _ in range(10)]
            assert select.select(several[:1], [], [], 20)[0]

    with connected(server, GET[:20]) as connection:
        assert read_answer(connection).status == 408


def is_let_go(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def test_a_connection_whose_deadline_cannot_be_enforced_is_let_go_alone(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    enforce = SlipwayProtocol.check_deadline

    def fails_once(connection: SlipwayProtocol, now: float) -> None:
        monkeypatch.setattr(SlipwayProtocol, "check_deadline", enforce)
        raise LookupError("a bug")

    monkeypatch.setattr(SlipwayProtocol, "check_deadline", fails_once)
    with connected(server, GET[:20]) as first:
        assert is_let_go(first)
    with connected(server, GET[:20]) as second:
        assert read_answer(second).status == 408

    assert "a deadline could not be enforced" in caplog.text


def test_the_watch_over_all_deadlines_is_restarted(
    probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch, failures = Server._watch, iter([LookupError("a bug")])

    async def fails_once(server: Server) -> None:
        for failure in failures:
            raise failure
        await watch(server)

    monkeypatch.setattr(Server, "_watch", fails_once)
    with running(probe, LIMITS) as server, connected(server, GET[:20]) as connection:
        assert read_answer(connection).status == 408


def test_a_window_counts_only_while_the_client_may_send() -> None:
    rate = RateMeter(default_limits(body_window_seconds=10, body_bytes_per_second=100))
    rate.begin(0)

    assert not rate.is_too_slow(9, may_send=True)
    assert not rate.is_too_slow(15, may_send=False)
    assert not rate.is_too_slow(20, may_send=True)
    assert rate.is_too_slow(25, may_send=True)


def test_a_window_with_its_share_opens_the_next() -> None:
    rate = RateMeter(default_limits(body_window_seconds=10, body_bytes_per_second=100))
    rate.begin(0)
    rate.arrived(1000)

    assert not rate.is_too_slow(10, may_send=True)
    rate.arrived(999)
    assert rate.is_too_slow(20, may_send=True)


def test_only_something_untaken_can_stall() -> None:
    rate = RateMeter(default_limits(write_stall_seconds=10))
    rate.begin(0)

    assert not rate.is_stalled(100, sent_bytes=0, unsent_bytes=0)
    assert not rate.is_stalled(105, sent_bytes=0, unsent_bytes=50)
    assert not rate.is_stalled(110, sent_bytes=5, unsent_bytes=50)
    assert not rate.is_stalled(119, sent_bytes=5, unsent_bytes=50)
    assert rate.is_stalled(120, sent_bytes=5, unsent_bytes=50)
