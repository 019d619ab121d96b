"""Connection: one client connection, from its first byte to a close without a reset.

It builds on uvicorn's HttpToolsProtocol, which is not public: see uvicorn_compat.py.
"""

import asyncio
import contextlib
import math
import socket
import struct
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from oci.errors import ErrorCode, OCIError
from registry.server.config import ServerConfig
from registry.server.deadlines import RateMeter
from registry.server.http.exchange import Exchange
from registry.server.http.refusals import refusal
from registry.server.http.request_head import MalformedRequest, TooSlow

_CHECK_SECONDS = 0.5
_NO_LINGER = struct.pack("ii", 1, 0)


class TooManyConnections(MalformedRequest):
    """More connections than the limit."""

    code = ErrorCode.TOOMANYREQUESTS
    status = HTTPStatus.SERVICE_UNAVAILABLE


class Connection(HttpToolsProtocol):
    """Answers requests in order, one at a time, then refuses or closes.

    ``deadline`` is the loop's time after which ``check_deadline`` must be called.
    """

    cycle: Exchange
    deadline = math.inf

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        assert isinstance(config, ServerConfig)
        self.limits = config.limits
        self._rate = RateMeter(self.limits)
        self._active: Exchange | None = None
        self._head_open = False
        self._ignoring_input = False
        self._at_eof = False
        self._refusal: bytes | None = None
        self._drained_bytes = 0
        self._pending = b""
        self._wait_end = 0.0

    # Events of the transport

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn
        super().connection_made(transport)
        self._set_socket_options(transport.get_extra_info("socket"))
        self._wait_until(self.loop.time() + self.limits.header_seconds)
        if len(self.connections) > self.limits.connections:
            self._refuse(TooManyConnections("too many connections to this registry"))

    def eof_received(self) -> bool | None:  # type: ignore[override]  # asyncio lets it say
        """A client that has shut down only its sending side still gets its responses."""
        cycle = self.cycle
        if self._ignoring_input or self._active is None or cycle.more_body:
            return None
        self._ignoring_input = self._at_eof = True
        cycle.keep_alive = False
        return self.scope["scheme"] == "http"

    def connection_lost(self, exc: Exception | None) -> None:
        self.deadline = math.inf
        self._ignoring_input = True
        for cycle in self._waiting():
            cycle.disconnect()
        if self._active is not None:
            self._active.disconnect()
        self.pipeline.clear()
        self._pending = b""
        super().connection_lost(exc)

    # Events of the server and of an exchange

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        cycle, self._active = self._active, None
        if self.transport.is_closing():
            return
        if cycle is None or not cycle.keep_alive:
            if (
                self._ignoring_input
                or self.pipeline
                or self._pending
                or self._unfinished() is not None
            ):
                self._linger()
            else:
                self.transport.close()
        elif self.pipeline:
            self._begin(self._pop())
        elif self._refusal is not None:
            self._send_final_response(self._refusal)
        else:
            pending, self._pending = self._pending, b""
            if pending:
                self.data_received(pending)
            self._wait_if_idle()
            self._resume_reading()

    def shutdown(self) -> None:
        """The server stops: finish the current exchange only."""
        if self._active is None:
            self.transport.close()
        else:
            self._active.keep_alive = False

    def check_deadline(self, now: float) -> None:
        """Act on a deadline that has passed, and set the next."""
        self.deadline = now + _CHECK_SECONDS
        active = self._active
        sent = 0 if active is None or active.writer is None else active.writer.sent_bytes
        if self._rate.is_stalled(now, sent, self._unsent_bytes()):
            self._reset()
        elif active is not None:
            if active.more_body and self._rate.is_too_slow(now, may_send=self._may_send()):
                self._refuse(TooSlow("the body comes too slowly"))
        elif now < self._wait_end:
            self._wait_until(self._wait_end)
        elif self._ignoring_input:
            self._reset()
        elif self._head_open:
            self._refuse(TooSlow("the request's head took too long"))
        else:
            self.transport.close()

    def _set_socket_options(self, connection: socket.socket | None) -> None:
        if connection is None or connection.family not in (socket.AF_INET, socket.AF_INET6):
            return
        # asyncio sets TCP_NODELAY only if the listening socket names its protocol, which an
        # inherited one does not; without it a head and a body in two writes wait 40 ms for each
        # other.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        milliseconds = int(self.limits.unacknowledged_seconds * 1000)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)

    def _enqueue(self, cycle: Exchange) -> None:
        self._rate.begin(self.loop.time())
        if self._active is None:
            self._begin(cycle)
            return
        self.flow.pause_reading()
        self.pipeline.appendleft((cycle, self.app))

    def _begin(self, cycle: Exchange) -> None:
        self._active = cycle
        self.deadline = self.loop.time() + _CHECK_SECONDS
        self._start_asgi_task(cycle, self.app)

    def _pop(self) -> Exchange:
        cycle, _ = self.pipeline.pop()
        assert isinstance(cycle, Exchange)
        return cycle

    def _resume_reading(self) -> None:
        if not self.pipeline and not self._pending:
            self.flow.resume_reading()

    def _await_next_request(self) -> None:
        """Set the deadline by which the next request must arrive."""
        if self.cycle.more_body:
            seconds = self.limits.drain_seconds
        elif self._head_open:
            seconds = self.limits.header_seconds
        else:
            seconds = self.limits.keep_alive_seconds
        self._wait_until(self.loop.time() + seconds)

    def _wait_if_idle(self) -> None:
        if self._active is None and not self._ignoring_input:
            self._await_next_request()

    def _wait_until(self, moment: float) -> None:
        self._wait_end = self.deadline = moment
        if self._unsent_bytes():
            self.deadline = min(moment, self.loop.time() + _CHECK_SECONDS)

    def _may_send(self) -> bool:
        return not self.flow.read_paused and not self.cycle.waiting_for_100_continue

    def _unsent_bytes(self) -> int:
        waiting = self.transport.get_write_buffer_size()
        if self._active is not None and self._active.writer is not None:
            waiting += self._active.writer.is_blocked
        return waiting

    def _waiting(self) -> Iterator[Exchange]:
        for cycle, _ in self.pipeline:
            assert isinstance(cycle, Exchange)
            yield cycle

    def _unfinished(self) -> Exchange | None:
        """The exchange whose request is not complete."""
        cycle: Exchange | None = self.cycle
        return cycle if cycle is not None and cycle.more_body else None

    def _refuse(self, error: OCIError) -> None:
        """Refuse a malformed request, after the earlier responses; nothing more is read."""
        self._ignoring_input = True
        broken = self._unfinished()
        if broken is not None and broken is self._active:
            self._active = None
            has_begun = broken.response_started
            broken.disconnect()
            if has_begun:
                self.transport.close()
                return
        elif broken is not None and self.pipeline:
            self.pipeline.popleft()
        elif broken is not None:
            self._linger()  # its response has been sent
            return
        if self._active is None:
            self._send_final_response(refusal(error))
        else:
            self._refusal = refusal(error)

    def _send_final_response(self, answer: bytes) -> None:
        self._refusal = None
        self.transport.write(answer)
        self._linger()

    def _linger(self) -> None:
        """Close without a reset, which could discard the response before the client has read it."""
        self._ignoring_input = True
        self._wait_until(self.loop.time() + self.limits.drain_seconds)
        if self._at_eof or not self.transport.can_write_eof():
            self.transport.close()
            return
        self.flow.resume_reading()
        try:
            self.transport.write_eof()
        except OSError:
            # The client has reset the connection, which the event loop has not reported yet.
            self.transport.abort()

    def _discard(self, count: int) -> None:
        if self._active is not None:
            self.flow.pause_reading()
            return
        self._drained_bytes += count
        if self._drained_bytes > self.limits.drain_bytes:
            self._reset()

    def _reset(self) -> None:
        """Close at once with a reset, so that the kernel keeps no unsent data."""
        connection = self.transport.get_extra_info("socket")
        if connection is not None:
            with contextlib.suppress(OSError):  # closed already
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self.transport.abort()
