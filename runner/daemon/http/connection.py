"""Connection: HTTP/1.1 with one client, by h11."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import suppress
from http import HTTPStatus
from urllib.parse import urlsplit

import h11

from runner.daemon.http.messages import Query, Request, Response

# Enough for a request line with many filters, and the headers.
MAX_HEADER_BYTES = 64 * 1024
_READ_BYTES = 64 * 1024
_LINGER_BYTES = 16 * 1024 * 1024
_LINGER_SECONDS = 2
# Time for a client to close a hijacked connection after its end; then it is closed here.
_FINISH_SECONDS = 30

# Progress items and log frames are small: buffer some before blocking on a slow client.
_HIGH_WATER_BYTES = 256 * 1024

_CREDENTIALS = struct.Struct("3i")


class Connection:
    """A connection that serves requests one by one, or, once taken over, is a Duplex."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEADER_BYTES)
        self._unread = b""
        self._wants_upgrade = False
        peer: socket.socket = writer.get_extra_info("socket")
        self.descriptor = peer.fileno()
        pid, uid, _ = _CREDENTIALS.unpack(
            peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        )
        self.peer = f"uid {uid} pid {pid}"
        writer.transport.set_write_buffer_limits(high=_HIGH_WATER_BYTES)

    async def next_request(self) -> Request | None:
        """Read the next request; None at the end of the connection.

        Raises h11.RemoteProtocolError for malformed HTTP.
        """
        event = await self._event()
        if not isinstance(event, h11.Request):
            return None
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in event.headers}
        self._wants_upgrade = "upgrade" in headers
        try:
            target = urlsplit(event.target.decode("ascii"))
            query = Query.parse(target.query)
        except ValueError as error:
            raise h11.RemoteProtocolError(f"bad request target: {error}") from error
        method = event.method.decode("ascii")
        return Request(method, target.path, (0, 0), query, headers, self._body())

    async def respond(self, response: Response, body: bytes) -> None:
        """Send a response whose body has a known length; for HEAD h11 omits the body."""
        has_none = response.status in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
        length = {} if has_none else {"Content-Length": str(len(body))}
        self._send(self._head(response, length))
        if body and not has_none:
            self._send(h11.Data(data=body))
        self._send(h11.EndOfMessage())
        await self._writer.drain()

    async def stream(self, response: Response, body: AsyncIterator[bytes]) -> None:
        """Send a response of unknown length; the head is sent before the first chunk exists."""
        self._send(self._head(response, {"Transfer-Encoding": "chunked"}))
        await self._writer.drain()
        async for chunk in body:
            if chunk:
                self._send(h11.Data(data=chunk))
                await self._writer.drain()
        self._send(h11.EndOfMessage())
        await self._writer.drain()

    async def reusable(self) -> bool:
        """Drain a short unread body; whether another request may follow.

        Closing with unread bytes would reset the connection and lose the response.
        """
        with suppress(h11.RemoteProtocolError, TimeoutError):
            async with asyncio.timeout(_LINGER_SECONDS):
                await self._skip_body()
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
            return True
        return False

    async def take_over(self, content_type: str) -> None:
        """Send 101 or 200; from then on the connection is a Duplex and no longer HTTP."""
        with suppress(h11.RemoteProtocolError):
            await self._skip_body()
        self._unread = self._http.trailing_data[0]
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\n\r\n"
        if self._wants_upgrade:
            head = (
                f"HTTP/1.1 101 UPGRADED\r\nContent-Type: {content_type}\r\n"
                "Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
            )
        await self.write(head.encode())

    async def read(self) -> bytes:
        if self._unread:
            content, self._unread = self._unread, b""
            return content
        return await self._reader.read(_READ_BYTES)

    async def write(self, content: bytes) -> None:
        self._writer.write(content)
        await self._writer.drain()

    async def finish(self) -> None:
        """Shut down the write side, then drain what the client sends until it closes.

        Closing with unread bytes would reset the connection and lose output not yet read.
        """
        with suppress(ConnectionError, TimeoutError):
            self._writer.write_eof()
            async with asyncio.timeout(_FINISH_SECONDS):
                while await self._reader.read(_READ_BYTES):
                    continue

    async def aclose(self) -> None:
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()

    async def _event(self) -> object:
        while True:
            event = self._http.next_event()
            if event is not h11.NEED_DATA:
                return event
            if self._http.they_are_waiting_for_100_continue:
                self._send(h11.InformationalResponse(status_code=100, headers=[]))
            self._http.receive_data(await self._reader.read(_READ_BYTES))

    async def _body(self) -> AsyncIterator[bytes]:
        while self._http.their_state is h11.SEND_BODY:
            event = await self._event()
            if isinstance(event, h11.Data):
                yield bytes(event.data)

    async def _skip_body(self) -> None:
        skipped = 0
        while self._http.their_state is h11.SEND_BODY and skipped < _LINGER_BYTES:
            event = await self._event()
            skipped += len(event.data) if isinstance(event, h11.Data) else 0

    def _head(self, response: Response, framing: dict[str, str]) -> h11.Response:
        headers = {"Server": "slipway", **framing, **response.headers}
        if framing.get("Content-Length", "0") != "0" or "Transfer-Encoding" in framing:
            headers["Content-Type"] = response.content_type
        return h11.Response(
            status_code=response.status,
            headers=list(headers.items()),
            reason=response.status.phrase.encode(),
        )

    def _send(self, event: h11.Event) -> None:
        if (content := self._http.send(event)) is not None:
            self._writer.write(content)
