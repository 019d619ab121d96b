"""Server: HTTP/1.1 over a Unix socket, by h11, with connections that handlers may take over.

The docker command needs three things that other servers lack: a half-closed client is still
served, a disconnected client ends its stream, and attach and exec get the raw connection.
"""

import asyncio
import logging
import socket
from collections.abc import Coroutine
from contextlib import aclosing, suppress
from typing import Any

import h11

from runner.daemon.http.connection import Connection
from runner.daemon.http.disconnects import DisconnectWatcher
from runner.daemon.http.errors import error_response, malformed_response
from runner.daemon.http.messages import (
    Application,
    HandlerResult,
    Hijack,
    Request,
    Response,
)
from runner.errors import Forbidden

log = logging.getLogger(__name__)

# Time for requests in progress to finish when the server stops.
GRACE_SECONDS = 5.0


class Server:
    """Serves every connection of one listening socket until ``aclose``.

    Handlers run to completion even if the client disconnects, so that no create or stop is left
    half done; but iterated bodies and hijacks end with their client.
    """

    def __init__(self, application: Application) -> None:
        self._application = application
        self._connections: set[asyncio.Task[None]] = set()
        self._busy: set[asyncio.Task[None]] = set()
        self._closing = False

    async def start(self, listener: socket.socket) -> None:
        self._disconnects = DisconnectWatcher()
        self._server = await asyncio.start_unix_server(self._connected, sock=listener)

    async def aclose(self) -> None:
        """Stop accepting, let requests finish, end the streams, close."""
        self._closing = True
        self._server.close()
        for task in self._connections - self._busy:
            task.cancel()
        if self._busy:
            await asyncio.wait(set(self._busy), timeout=GRACE_SECONDS)
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        self._disconnects.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        connection = Connection(reader, writer)
        try:
            await self._serve(connection, task)
        except (ConnectionError, h11.LocalProtocolError) as error:
            # The client disconnected, or broke the protocol.
            log.debug("connection ended: %s", error)
        except asyncio.CancelledError:
            # Cancelled by aclose or a disconnect; neither needs a response.
            pass
        finally:
            self._busy.discard(task)
            self._connections.discard(task)
            await connection.aclose()

    async def _serve(self, connection: Connection, task: asyncio.Task[None]) -> None:
        while True:
            try:
                request = await connection.next_request()
            except h11.RemoteProtocolError as error:
                await self._refuse_malformed(connection, error)
                return
            if request is None:
                return
            self._busy.add(task)
            if request.method not in ("GET", "HEAD"):
                # An audit trail: access to the socket equals root access.
                log.info("%s %s by %s", request.method, request.path, connection.peer)
            answer = await self._answer(request)
            try:
                if isinstance(answer, Response) and isinstance(answer.body, bytes):
                    await connection.respond(answer, answer.body)
                    self._busy.discard(task)
                else:
                    self._busy.discard(task)
                    await self._while_client_listens(connection, self._send(connection, answer))
            finally:
                if answer.close is not None:
                    await answer.close()
            if self._closing or isinstance(answer, Hijack) or not await connection.reusable():
                return

    async def _answer(self, request: Request) -> HandlerResult:
        if "origin" in request.headers:
            # Only browsers send Origin; no web page may control the daemon.
            return error_response(Forbidden("requests of web pages are refused"))
        try:
            return await self._application(request)
        except h11.RemoteProtocolError as error:
            return malformed_response(error)
        except ConnectionError:
            raise
        except Exception as error:  # noqa: BLE001 - every failure needs a response
            return error_response(error)

    async def _refuse_malformed(
        self, connection: Connection, error: h11.RemoteProtocolError
    ) -> None:
        response = malformed_response(error)
        assert isinstance(response.body, bytes)
        with suppress(h11.LocalProtocolError):
            await connection.respond(response, response.body)

    async def _send(self, connection: Connection, answer: HandlerResult) -> None:
        if isinstance(answer, Hijack):
            await connection.take_over(answer.content_type)
            await answer.run(connection)
            await connection.finish()
        else:
            assert not isinstance(answer.body, bytes)
            async with aclosing(answer.body):
                await connection.stream(answer, answer.body)

    async def _while_client_listens(
        self, connection: Connection, work: Coroutine[Any, Any, None]
    ) -> None:
        """Run ``work`` until it ends or the client disconnects."""
        running = asyncio.create_task(work)
        with self._disconnects.watched(connection.descriptor, running.cancel):
            try:
                await running
            except asyncio.CancelledError:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
                raise
