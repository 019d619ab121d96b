"""The choice of protocol: ours, if uvicorn's internals are what it was written against."""

import asyncio
import inspect
import warnings

from uvicorn.protocols.http import httptools_impl

from registry.server.protocol import SlipwayProtocol

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


def missing_internals() -> list[str]:
    """The names we rely on and do not find."""
    cycle = getattr(httptools_impl, "RequestResponseCycle", object)
    protocol = httptools_impl.HttpToolsProtocol
    parameters = inspect.signature(cycle).parameters
    return [
        *(f"RequestResponseCycle({name})" for name in _CYCLE_PARAMETERS if name not in parameters),
        *(f"HttpToolsProtocol.{name}" for name in _PROTOCOL_METHODS if not hasattr(protocol, name)),
    ]


def choose_protocol() -> type[asyncio.Protocol]:
    """Plain uvicorn is slower and more patient, and still serves every client."""
    missing = missing_internals()
    if not missing:
        return SlipwayProtocol
    warnings.warn(
        f"this uvicorn lacks {', '.join(missing)}; serving without sendfile and deadlines",
        RuntimeWarning,
        stacklevel=2,
    )
    return httptools_impl.HttpToolsProtocol
