"""Server: run an application until it is stopped, then finish requests in progress.

It uses asyncio's own event loop, which is faster than uvloop for this work.
"""

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import uvicorn
from uvicorn._types import ASGI3Application

from registry.background import BackgroundTasks
from registry.server.certificate import Certificate
from registry.server.config import ServerConfig
from registry.server.descriptors import fit_to_fd_limit
from registry.server.http.protocol import SlipwayProtocol
from registry.server.lifespan import Lifespan
from registry.server.limits import Limits
from registry.server.uvicorn_compat import check_internals

_WATCH_SECONDS = 0.1
_GRACE_SECONDS = 1.0
_CERTIFICATE_SECONDS = 5.0

log = logging.getLogger("registry.server")


class Server(uvicorn.Server):
    """One server; ``run`` returns after SIGTERM, SIGINT or ``stop``.

    ``on_ready`` is called with the actual address once connections are accepted.
    It admits no more connections than the process has descriptors for.
    Raises ServerIncompatible at once, and ApplicationFailed when it is run.
    """

    def __init__(
        self,
        app: ASGI3Application,
        listener: socket.socket,
        *,
        limits: Limits,
        background: BackgroundTasks,
        certificate: Certificate | None = None,
    ) -> None:
        check_internals()
        self.limits = limits = fit_to_fd_limit(limits)
        self._background = background
        self._certificate = certificate
        self._lifespan = Lifespan(app)
        self.listener = listener
        self.on_ready: Callable[[str, int], None] = lambda host, port: None
        self._executor = ThreadPoolExecutor(max_workers=8, thread_name_prefix="sendfile")
        super().__init__(
            ServerConfig(
                app,
                http=SlipwayProtocol,
                limits=limits,
                executor=self._executor,
                ssl_context=None if certificate is None else certificate.context,
            )
        )

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.listener.getsockname()[:2]
        return host, port

    def stop(self) -> None:
        """Stop accepting; ``serve`` returns once the requests in progress have ended."""
        self.should_exit = True

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve in an event loop of its own until stopped."""
        # Never uvloop, even where it is installed: it has no sendfile.
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            runner.run(self.serve(sockets))

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            async with contextlib.AsyncExitStack() as running:
                run = self._background.running
                await running.enter_async_context(run("deadlines of connections", self._watch))
                if self._certificate is not None:
                    watch = partial(self._watch_certificate, self._certificate)
                    await running.enter_async_context(run("certificate", watch))
                await super().serve(sockets=sockets or [self.listener])
        finally:
            await self._lifespan.stop()
            self.listener.close()
            self._executor.shutdown(wait=False)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        host, port = self.address
        await self._lifespan.start()
        await super().startup(sockets=sockets)
        self.on_ready(host, port)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets=sockets)
        # Requests over the time limit are cancelled by now: let them clean up.
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks, timeout=_GRACE_SECONDS)

    async def _watch(self) -> None:
        """Enforce the deadlines of all connections.

        One walk over all of them every 0.1 s, instead of a timer or two per request.
        """
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            now = loop.time()
            for connection in list(self.server_state.connections):
                if isinstance(connection, SlipwayProtocol) and connection.deadline <= now:
                    self._enforce(connection, now)

    async def _watch_certificate(self, certificate: Certificate) -> None:
        """Use a renewed certificate soon after its files have changed."""
        while True:
            await asyncio.sleep(_CERTIFICATE_SECONDS)
            certificate.reload_if_changed()

    def _enforce(self, connection: SlipwayProtocol, now: float) -> None:
        """Check one connection; its failure must not end the deadlines of others."""
        try:
            connection.check_deadline(now)
        except Exception as error:
            log.error("a deadline could not be enforced", exc_info=error)
            connection.transport.abort()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at SIGTERM and SIGINT with exit status 0; uvicorn would raise them again.

        SIGHUP reads the certificate again.
        """
        loop = asyncio.get_running_loop()
        handlers = {
            signal.SIGTERM: self._handle_signal,
            signal.SIGINT: self._handle_signal,
            signal.SIGHUP: self._handle_reload,
        }
        try:
            for number, handler in handlers.items():
                loop.add_signal_handler(number, handler)
        except (ValueError, RuntimeError):  # not the main thread: the caller uses stop()
            yield
            return
        try:
            yield
        finally:
            for number in handlers:
                loop.remove_signal_handler(number)

    def _handle_reload(self) -> None:
        if self._certificate is not None:
            self._certificate.reload()

    def _handle_signal(self) -> None:
        self.force_exit = self.should_exit
        self.should_exit = True
