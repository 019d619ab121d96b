"""uvicorn compatibility: check the private internals that this server builds on.

Without them there would be no deadlines and no strict parsing, so the server refuses to start.
"""

import asyncio
import inspect
from collections.abc import Iterator
from typing import Any

import uvicorn
from uvicorn.protocols.http import flow_control, httptools_impl
from uvicorn.server import Server, ServerState

from registry.errors import StartupError

_CYCLE_PARAMETERS = (
    "scope",
    "transport",
    "flow",
    "logger",
    "access_logger",
    "access_log",
    "default_headers",
    "message_event",
    "expect_100_continue",
    "keep_alive",
    "on_response",
)
_PROTOCOL_METHODS = (
    "connection_made",
    "connection_lost",
    "on_message_begin",
    "on_response_complete",
    "_start_asgi_task",
    "shutdown",
)
_CYCLE_ATTRIBUTES = (
    "scope",
    "transport",
    "flow",
    "logger",
    "default_headers",
    "message_event",
    "on_response",
    "disconnected",
    "keep_alive",
    "waiting_for_100_continue",
    "more_body",
    "response_started",
    "response_complete",
    "chunked_encoding",
)
_PROTOCOL_ATTRIBUTES = (
    "app",
    "loop",
    "logger",
    "access_logger",
    "parser",
    "server_state",
    "connections",
    "transport",
    "flow",
    "pipeline",
    "scope",
    "headers",
    "cycle",
)
_STATE_ATTRIBUTES = ("total_requests", "connections", "tasks", "default_headers")
_FLOW_ATTRIBUTES = (
    "read_paused",
    "write_paused",
    "pause_reading",
    "resume_reading",
    "drain",
)
_SERVER_METHODS = ("startup", "shutdown", "serve", "capture_signals")


class ServerIncompatible(StartupError):
    """The installed uvicorn lacks internals that this server needs."""


def check_internals() -> None:
    """Raise ServerIncompatible, which names everything missing."""
    missing = missing_internals()
    if missing:
        raise ServerIncompatible(
            f"uvicorn {uvicorn.__version__} lacks {', '.join(missing)}, which this server builds "
            "on: install the version that this release of the registry asks for"
        )


def missing_internals() -> list[str]:
    """The missing names."""
    cycle = httptools_impl.RequestResponseCycle
    protocol = httptools_impl.HttpToolsProtocol
    parameters = inspect.signature(cycle).parameters
    missing = [
        f"RequestResponseCycle({each})" for each in _CYCLE_PARAMETERS if each not in parameters
    ]
    missing += _absent(protocol, "HttpToolsProtocol", _PROTOCOL_METHODS)
    missing += _absent(Server, "Server", _SERVER_METHODS)
    missing += _absent(ServerState(), "ServerState", _STATE_ATTRIBUTES)
    if missing:
        return missing  # without these, no instance can be made to look further
    blanks: dict[str, Any] = dict.fromkeys(parameters)
    flow = flow_control.FlowControl(asyncio.Transport())
    missing += _absent(cycle(**blanks), "RequestResponseCycle", _CYCLE_ATTRIBUTES)
    missing += _absent(_unconnected_protocol(), "HttpToolsProtocol", _PROTOCOL_ATTRIBUTES)
    missing += _absent(flow, "FlowControl", _FLOW_ATTRIBUTES)
    return missing


def _absent(found: object, name: str, attributes: tuple[str, ...]) -> Iterator[str]:
    return (f"{name}.{each}" for each in attributes if not hasattr(found, each))


def _unconnected_protocol() -> object:
    """A protocol without a connection, to look at its attributes."""
    config = uvicorn.Config(
        _no_application,
        log_config=None,
        ws="none",
        interface="asgi3",
        http=httptools_impl.HttpToolsProtocol,
    )
    loop = asyncio.new_event_loop()
    try:
        return httptools_impl.HttpToolsProtocol(config, ServerState(), {}, loop)
    finally:
        loop.close()


async def _no_application(scope: object, receive: object, send: object) -> None:
    raise NotImplementedError
