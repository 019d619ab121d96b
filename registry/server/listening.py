"""Listening socket: bound before anything else starts, so that a port in use is reported early."""

import errno
import os
import socket

from registry.errors import StartupError

_BACKLOG = 2048
# Advice on an error, after the system's own words for it.
ADVICE = {
    errno.EADDRINUSE: "; end the program that has it, or give another with --listen",
    errno.EADDRNOTAVAIL: "; give an address of this machine with --listen",
    errno.EACCES: "; give a port above 1023 with --listen",
}


class CannotListen(StartupError):
    """The address is in use, not local, or invalid."""


def listen(host: str, port: int) -> socket.socket:
    """Bind and listen; port 0 chooses a free one.  Raises CannotListen."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise CannotListen(f"cannot listen on {host}:{port}: {_reason(error)}") from error
    try:
        # A restarted server can bind while old connections are still in TIME_WAIT.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise CannotListen(f"cannot listen on {host}:{port}: {_reason(error)}") from error
    listener.setblocking(False)
    return listener


def _reason(error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return "no such host; give an address of this machine with --listen"
    reason = os.strerror(error.errno).lower() if error.errno else str(error)
    return reason + ADVICE.get(error.errno or 0, "")
