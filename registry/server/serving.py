"""Server: runs an application until it is told to stop, and then lets it finish.

uvicorn on the plain asyncio loop, which for this work is faster than uvloop.
"""

import asyncio
import contextlib
import signal
import socket
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import uvicorn
from uvicorn._types import ASGIApplication

from registry.errors import StartupError
from registry.server.config import ServerConfig
from registry.server.descriptors import fitted
from registry.server.limits import Limits
from registry.server.listening import listen
from registry.server.protocol import SlipwayProtocol
from registry.server.selfcheck import choose_protocol

_WATCH_SECONDS = 0.1
_GRACE_SECONDS = 1.0


class ApplicationFailed(StartupError):
    """The application's own start failed; it has said why in the log."""


def serve(
    app: ASGIApplication,
    *,
    host: str = "127.0.0.1",
    port: int = 5000,
    limits: Limits | None = None,
    on_ready: Callable[[str, int], None] = lambda host, port: None,
    listener: socket.socket | None = None,
    ssl_context: ssl.SSLContext | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, and return when what was in flight is done.

    ``on_ready`` is told the address once connections are accepted: with port 0, the real one.
    A listening socket that is passed in takes the place of host and port.
    Raises CannotListen, or ApplicationFailed.
    """
    listener = listener or listen(host, port)
    limits = fitted(limits or Limits())
    server = Server(app, listener, limits=limits, ssl_context=ssl_context)
    server.on_ready = on_ready
    # Never uvloop, even where it is installed: it has no sendfile.
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        runner.run(server.serve())


class Server(uvicorn.Server):
    """One server in a running loop; ``serve`` returns after SIGTERM, SIGINT or ``stop``."""

    def __init__(
        self,
        app: ASGIApplication,
        listener: socket.socket,
        *,
        limits: Limits,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self.limits = limits
        self.listener = listener
        self.on_ready: Callable[[str, int], None] = lambda host, port: None
        self._executor = ThreadPoolExecutor(max_workers=8, thread_name_prefix="sendfile")
        super().__init__(
            ServerConfig(
                app,
                http=choose_protocol(),
                limits=limits,
                executor=self._executor,
                ssl_context=ssl_context,
            )
        )

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.listener.getsockname()[:2]
        return host, port

    def stop(self) -> None:
        """Accept nothing more, and let ``serve`` return when what is in flight is done."""
        self.should_exit = True

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        watch = asyncio.create_task(self._watch())
        try:
            await super().serve(sockets=sockets or [self.listener])
        finally:
            watch.cancel()
            self.listener.close()
            self._executor.shutdown(wait=False)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        host, port = self.address
        try:
            await super().startup(sockets=sockets)
        except SystemExit as exit_:
            raise ApplicationFailed("the registry could not start; the log says why") from exit_
        self.on_ready(host, port)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets=sockets)
        # What the limit cut off is cancelled by now; let it undo what it must.
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks, timeout=_GRACE_SECONDS)

    async def _watch(self) -> None:
        """Hold every connection to its deadline.

        One walk over all of them, ten times a second, instead of a timer or two per request.
        """
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            now = loop.time()
            for connection in list(self.server_state.connections):
                if isinstance(connection, SlipwayProtocol) and connection.deadline <= now:
                    connection.enforce(now)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at SIGTERM and SIGINT and exit with 0; uvicorn would raise them again at the end."""
        loop = asyncio.get_running_loop()
        try:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self._told_to_stop)
        except (ValueError, RuntimeError):  # not the main thread: whoever runs us calls stop()
            yield
            return
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    def _told_to_stop(self) -> None:
        self.force_exit = self.should_exit
        self.should_exit = True
