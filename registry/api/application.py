"""Application: one request in, one response and one log line out."""

import itertools
import re
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

import structlog
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from oci.errors import OCIError
from registry.api.access import Authorizer
from registry.api.challenges import challenge
from registry.api.client_address import apply_forwarded
from registry.api.errors import fail, refuse
from registry.api.held_bytes import HeldBytes, Hold
from registry.api.management.endpoint import PREFIX
from registry.api.management.management import Management
from registry.api.requests import RegistryRequest
from registry.api.routes import Endpoint
from registry.api.routing import Router, decoded_path
from registry.background import BackgroundTasks
from registry.config import IPNetwork
from registry.errors import StorageUnreadable, Unauthorized
from registry.logs import RequestLine, RequestLog

# nginx's status for a client that closed the connection before the response.
CLIENT_GONE = 499

_MANAGEMENT = f"{PREFIX}/"

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}", re.ASCII)

Lifespan = Callable[[], AbstractAsyncContextManager[Authorizer]]
"""Opens the registry while the server runs."""

log = structlog.get_logger()


class Application:
    """The registry as an ASGI application.

    Between startup and shutdown the lifespan is open, and its authorizer decides every request.
    Once ``is_stopping``, readiness probes fail.
    """

    def __init__(
        self,
        router: Router[Endpoint],
        management: Management,
        lifespan: Lifespan,
        requests: RequestLog | None,
        background: BackgroundTasks,
        *,
        external_url: str = "",
        trusted_proxies: Sequence[IPNetwork] = (),
    ) -> None:
        self._router = router
        self._management = management
        self._external_url = external_url
        self._trusted_proxies = tuple(trusted_proxies)
        self._background = background
        self._held = HeldBytes()
        self._lifespan = lifespan
        self._requests = requests
        self._authorizer: Authorizer | None = None
        self.is_stopping: Callable[[], bool] = lambda: False
        # Request ids: unique to this run, and cheaper than random ones.
        self._run_id, self._numbers = secrets.token_hex(4), itertools.count()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._run_lifespan(receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The work for each request besides its handler.

        Hot path: small.
        """
        started = time.perf_counter()
        if self._trusted_proxies:
            apply_forwarded(scope, self._trusted_proxies)
        exchange = ResponseRecorder(scope, send, f"{self._run_id}{next(self._numbers):08x}")
        hold = Hold(self._held)
        try:
            response = await self._respond(exchange.line, hold, scope, receive)
            await response(scope, receive, exchange.send)
        except ClientDisconnect:
            exchange.line.status = CLIENT_GONE
        finally:
            hold.release()
            if self._requests is not None:
                self._requests.write(exchange.line, time.perf_counter() - started)

    async def _respond(
        self, line: RequestLine, hold: Hold, scope: Scope, receive: Receive
    ) -> Response:
        try:
            return await self._handle(line, hold, scope, receive)
        except OCIError as error:
            if isinstance(error, StorageUnreadable):
                # Logged here: a failed read trips no latch.
                log.error(str(error), request_id=line.request_id)
            asked = None
            if isinstance(error, Unauthorized):
                asked = challenge(scope, error, self._external_url)
            return refuse(scope["path"], error, asked)
        except ClientDisconnect:
            raise
        except Exception:
            log.exception("request failed", request_id=line.request_id, path=line.path)
            return fail(line.request_id)

    async def _handle(
        self, line: RequestLine, hold: Hold, scope: Scope, receive: Receive
    ) -> Response:
        if scope["path"].startswith(_MANAGEMENT):
            # Before the router of the distribution API: no blob waits for more patterns.
            request = self._request(hold, scope, receive)
            return await self._management.respond(request, line.request_id)
        scope["path"] = decoded_path(scope)
        endpoint, found = self._router.match(scope["method"], scope["path"])
        scope["path_params"] = found
        name = line.repository = found.get("name")
        line.reference = found.get("digest") or found.get("reference") or found.get("session")
        request = self._request(hold, scope, receive)
        authorizer = request.authorizer
        if name is None:
            return await endpoint.handler(
                request, await authorizer.authorize(request, endpoint.access)
            )
        repository = await authorizer.authorize_in(request, endpoint.access, name)
        return await endpoint.handler(request, repository)

    def _request(self, hold: Hold, scope: Scope, receive: Receive) -> RegistryRequest:
        authorizer = self._authorizer
        assert authorizer is not None, "requests come between startup and shutdown"
        return RegistryRequest(
            scope, receive, authorizer, self._background, hold, is_stopping=self.is_stopping()
        )

    async def _run_lifespan(self, receive: Receive, send: Send) -> None:
        """ASGI's lifespan: open before the first request, close after the last."""
        await receive()
        try:
            async with self._lifespan() as self._authorizer:
                await send({"type": "lifespan.startup.complete"})
                await receive()
        finally:
            self._authorizer = None
        await send({"type": "lifespan.shutdown.complete"})


class ResponseRecorder:
    """Sends the response, and records status and size for the request log."""

    def __init__(self, scope: Scope, send: Send, request_id: str) -> None:
        for name, value in scope["headers"]:
            if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
                request_id = value.decode()
        self._request_id = request_id.encode()
        self._send = send
        client = scope.get("client")
        self.line = RequestLine(
            request_id=request_id,
            client=client[0] if client else "",
            method=scope["method"],
            path=scope["path"],
        )

    async def send(self, message: Message) -> None:
        match message["type"]:
            case "http.response.start":
                self.line.status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", self._request_id)]
            case "http.response.body":
                self.line.bytes += len(message.get("body", b""))
            case "http.response.zerocopysend":
                self.line.bytes += message["count"]
        await self._send(message)
