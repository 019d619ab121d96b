"""ServerConfig: uvicorn's settings for this server, and the state shared by all connections."""

import asyncio
import math
import ssl
from concurrent.futures import Executor

import uvicorn
from uvicorn._types import ASGIApplication

from registry.server.limits import Limits

_READ_BYTES = 1024 * 1024


class ServerConfig(uvicorn.Config):
    """Disables uvicorn's own log and its trust in forwarded headers."""

    def __init__(
        self,
        app: ASGIApplication,
        *,
        http: type[asyncio.Protocol],
        limits: Limits,
        executor: Executor | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self.limits = limits
        self.executor = executor
        # Filled and emptied within one callback of the event loop, so all connections share it.
        self.read_buffer = memoryview(bytearray(_READ_BYTES))
        super().__init__(
            app,
            http=http,
            # The server runs the application's lifespan itself: see lifespan.py.
            lifespan="off",
            ws="none",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=math.ceil(limits.keep_alive_seconds),
            timeout_graceful_shutdown=math.ceil(limits.shutdown_seconds),
            ssl_context_factory=None if ssl_context is None else lambda _, __: ssl_context,
        )
