"""SlipwayProtocol: strict parsing of requests, each in one way or not at all (rule HT-1).

https://www.rfc-editor.org/rfc/rfc9112 sections 2.2 (message parsing) and 6 (message body).
"""

import asyncio
import urllib.parse
from typing import Any

import httptools
import uvicorn
from uvicorn.server import ServerState

from oci.errors import OCIError
from registry.server.config import ServerConfig
from registry.server.http.connection import Connection
from registry.server.http.exchange import Exchange
from registry.server.http.framing import ChunkFraming
from registry.server.http.request_head import HeadTooLarge, MalformedRequest, read_head
from registry.server.http.responses import EXTENSIONS

# Enough for a head; a fast body is read in pieces as large as the buffer.
_SMALL_READ_BYTES = 16 * 1024
# Smaller chunks are read in small pieces: each chunk costs several calls.
_SMALL_CHUNK_BYTES = 1024


class SlipwayProtocol(Connection, asyncio.BufferedProtocol):
    """Passes received bytes to llhttp, and its events to exchanges."""

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        assert isinstance(config, ServerConfig)
        self._executor = config.executor
        self._buffer = config.read_buffer
        self._head_bytes = 0
        self._split_bytes = 0
        self._framing: ChunkFraming | None = None
        self._messages = 0
        self._last_request = False
        self._body_left: int | None = 0
        self._chunks = 0
        self._chunks_are_large = False

    # Events of the transport

    def get_buffer(self, sizehint: int) -> memoryview:
        left = self._body_left
        reads_fast = self._chunks_are_large if left is None else left > _SMALL_READ_BYTES
        return self._buffer if reads_fast else self._buffer[:_SMALL_READ_BYTES]

    def buffer_updated(self, nbytes: int) -> None:
        self.data_received(self._buffer[:nbytes])

    def data_received(self, data: bytes | memoryview) -> None:
        """Parse one request at a time; pipelined ones wait, unparsed, for its response."""
        if self._ignoring_input:
            self._discard(len(data))
            return
        count, self._chunks = len(data), 0
        while data and not self._ignoring_input:
            if self._active is not None and self._is_between_requests():
                self._keep(data)
                break
            step = self._step(data)
            self._take(data[:step])
            data = data[step:]
        self._chunks_are_large = self._chunks * _SMALL_CHUNK_BYTES <= count

    def _is_between_requests(self) -> bool:
        """Whether the input is between two requests; none may follow the last one."""
        is_between = not self._head_open and self._unfinished() is None
        return is_between and not self._last_request

    def _keep(self, data: bytes | memoryview) -> None:
        self._pending += bytes(data)
        self.flow.pause_reading()
        if len(self._pending) > self.limits.pipelined_bytes:
            self._pending = b""
            limit = self.limits.pipelined_bytes
            self._refuse(MalformedRequest(f"more than {limit} bytes of requests wait for answers"))

    def _step(self, data: bytes | memoryview) -> int:
        """The number of bytes that belong to one request, as far as known without parsing."""
        if self._head_open or self._unfinished() is None:
            end = bytes(data).find(b"\r\n\r\n")
            return len(data) if end < 0 else end + 4
        return len(data) if self._body_left is None else max(1, min(len(data), self._body_left))

    def _take(self, data: bytes | memoryview) -> None:
        was_in_head, framing, messages = self._head_open, self._framing, self._messages
        was_between = not was_in_head and self._unfinished() is None
        try:
            self._parse(data)
            if was_in_head and self._head_open:
                self._count_split_head(len(data))
            self._check_framing(framing, messages, was_between, data)
        except OCIError as error:
            self._refuse(error)

    # Events of the parser

    def on_message_begin(self) -> None:
        # uvicorn configures its parser to accept requests after one with "Connection: close".
        if self._last_request:
            raise MalformedRequest("request after connection: close")
        super().on_message_begin()
        self._messages += 1
        self.scope["extensions"] = EXTENSIONS
        self._head_open = True
        self._head_bytes = self._split_bytes = 0
        if self._active is None:
            self._wait_until(self.loop.time() + self.limits.header_seconds)

    def on_url(self, url: bytes) -> None:
        self.url += url
        self._count_head(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._head_open:
            return  # a trailer must not change a head that was checked
        self.headers.append((name.lower(), value))
        self._count_head(len(name) + len(value) + 4)

    def on_headers_complete(self) -> None:
        if len(self.pipeline) >= self.limits.pipelined_requests:
            raise MalformedRequest(f"more than {len(self.pipeline)} requests wait for an answer")
        version = self.parser.get_http_version()
        method = self.parser.get_method().decode("ascii")
        head = read_head(method, self.url, version, self.headers)
        if self.parser.should_upgrade() and head.content_length != 0:
            # The parser would treat the body as data after the request.
            raise MalformedRequest("an upgrade is offered with a body, expected none")
        self._head_open = False
        path = head.path.decode("ascii")
        scope = self.scope
        scope["method"] = method
        scope["http_version"] = version
        scope["path"] = urllib.parse.unquote(path) if "%" in path else path
        scope["raw_path"] = head.path
        scope["query_string"] = head.query
        self._last_request = version == "1.0" or not self.parser.should_keep_alive()
        self._framing = ChunkFraming() if head.content_length is None else None
        self._body_left = head.content_length
        self._chunks_are_large = False
        self.cycle = Exchange(
            loop=self.loop,
            executor=self._executor,
            content_length=head.content_length,
            read_on=self._resume_reading,
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=head.expects_continue,
            keep_alive=not self._last_request,
            on_response=self.on_response_complete,
        )
        self._enqueue(self.cycle)

    def on_body(self, body: bytes) -> None:
        self._rate.arrived(len(body))
        if self._body_left is not None:
            self._body_left -= len(body)
        if self._framing is not None:
            self._framing.body(len(body))
        cycle = self.cycle
        if not cycle.response_complete and not cycle.disconnected and cycle.feed(body):
            self.flow.pause_reading()

    def on_chunk_header(self) -> None:
        self._chunks += 1
        if self._framing is not None:
            self._framing.chunk()

    def on_message_complete(self) -> None:
        cycle = self.cycle
        cycle.more_body = False
        cycle.message_event.set()
        if self._active is None:
            self._await_next_request()

    def _parse(self, data: bytes | memoryview) -> None:
        while data:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                # An Upgrade, which is declined: parsing continues after it.
                data = data[upgrade.args[0] :]
            except httptools.HttpParserError as error:
                if self._last_request and not self.cycle.more_body:
                    self._ignoring_input = True
                    return
                cause = error.__context__
                if isinstance(error, httptools.HttpParserCallbackError) and cause is not None:
                    raise cause from None
                raise MalformedRequest(f"malformed HTTP request: {error}") from error
            else:
                return

    def _count_head(self, count: int) -> None:
        self._head_bytes += count
        if self._head_bytes > self.limits.head_bytes:
            raise HeadTooLarge(f"request head is larger than {self.limits.head_bytes} bytes")
        if len(self.headers) > self.limits.head_fields:
            raise HeadTooLarge(f"request has more than {self.limits.head_fields} headers")

    def _count_split_head(self, count: int) -> None:
        """Count here too: the parser reports a header only at its end."""
        self._split_bytes += count
        if self._split_bytes > self.limits.head_bytes:
            raise HeadTooLarge(f"request head is larger than {self.limits.head_bytes} bytes")

    def _check_framing(
        self,
        before: ChunkFraming | None,
        messages: int,
        was_between: bool,
        data: bytes | memoryview,
    ) -> None:
        """Count the framing of the bytes just parsed, if all belong to one request."""
        framing = self._framing
        if framing is None:
            return
        try:
            if framing is before and messages == self._messages:
                framing.consumed(len(data))
            elif was_between and messages + 1 == self._messages:
                framing.consumed_head(data)
        except MalformedRequest:
            self.cycle.more_body = True  # marks the body incomplete, so that it is not committed
            raise
