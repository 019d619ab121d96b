"""The HTTP server: uvicorn, with sendfile, deadlines and a strict reading of requests."""

from registry.server.limits import Limits
from registry.server.listening import CannotListen, listen
from registry.server.protocol import SlipwayProtocol
from registry.server.serving import ApplicationFailed, Server, serve

__all__ = [
    "ApplicationFailed",
    "CannotListen",
    "Limits",
    "Server",
    "SlipwayProtocol",
    "listen",
    "serve",
]
