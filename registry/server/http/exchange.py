"""Exchange: one request and its response, through ASGI."""

import asyncio
from collections.abc import Callable
from typing import Any

from starlette.requests import ClientDisconnect
from uvicorn._types import ASGI3Application, ASGIReceiveEvent

from registry.errors import StorageUnreadable
from registry.server.http.responses import RespondingCycle

_HIGH_WATER_BYTES = 64 * 1024
_SMALL_PART_BYTES = 1024


class Exchange(RespondingCycle):
    """Lives from the end of a request's head to the last byte of its response.

    The body is kept in the parts that arrived, and passed on without copying.
    """

    def __init__(
        self,
        *,
        content_length: int | None,
        read_on: Callable[[], None],
        **rest: Any,
    ) -> None:
        super().__init__(**rest)
        self.unread_bytes = content_length
        self._resume_reading = read_on
        self._parts: list[bytes | bytearray] = []
        self._waiting_bytes = 0

    # Events of the connection

    def feed(self, body: bytes) -> bool:
        """Buffer a part of the body; true if the buffer is full."""
        if len(body) > _SMALL_PART_BYTES:
            self._parts.append(body)
        elif self._parts and isinstance(self._parts[-1], bytearray):
            # Tiny chunks are joined: each as its own object would take far more memory.
            self._parts[-1] += body
        else:
            self._parts.append(bytearray(body))
        self._waiting_bytes += len(body)
        if self.unread_bytes is not None:
            self.unread_bytes -= len(body)
        self.message_event.set()
        return self._waiting_bytes > _HIGH_WATER_BYTES

    # The application's calls

    async def run_asgi(self, app: ASGI3Application) -> None:
        try:
            await app(self.scope, self.receive, self.send)
        except asyncio.CancelledError:
            if not self.response_complete:
                self.transport.abort()
            raise
        except StorageUnreadable as error:
            # A disk failure is no bug: one line, without a traceback.  The response is cut off.
            self.logger.error("exception in ASGI application: %s", error)
            self._fail()
        except Exception as error:  # the last resort
            if not (self.disconnected and isinstance(error, ClientDisconnect | OSError)):
                self.logger.error("exception in ASGI application", exc_info=error)
            self._fail()
        else:
            if not self.response_complete and not self.disconnected:
                self.logger.error("ASGI application returned without completing its response")
                self._fail()
        finally:
            # Breaks the reference cycle with the connection.
            self.on_response = lambda: None

    async def receive(self) -> ASGIReceiveEvent:
        if self.waiting_for_100_continue and not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.waiting_for_100_continue = False
        if not self._parts and not self.disconnected and not self.response_complete:
            self._resume_reading()
            await self.message_event.wait()
        self.message_event.clear()
        # Received bytes are passed to the application even after a disconnect: an upload resumes
        # from there.
        if not self._parts and (self.disconnected or self.response_complete):
            return {"type": "http.disconnect"}
        parts, self._parts, self._waiting_bytes = self._parts, [], 0
        body = bytes(parts[0]) if len(parts) == 1 else b"".join(parts)
        more_body = self.more_body or self.disconnected
        return {"type": "http.request", "body": body, "more_body": more_body}
