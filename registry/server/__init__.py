"""The HTTP server: uvicorn with sendfile, deadlines and strict parsing of requests."""

from registry.server.certificate import Certificate
from registry.server.http.protocol import SlipwayProtocol
from registry.server.lifespan import ApplicationFailed
from registry.server.limits import Limits
from registry.server.listening import CannotListen, listen
from registry.server.serving import Server
from registry.server.uvicorn_compat import ServerIncompatible

__all__ = [
    "ApplicationFailed",
    "CannotListen",
    "Certificate",
    "Limits",
    "Server",
    "ServerIncompatible",
    "SlipwayProtocol",
    "listen",
]
