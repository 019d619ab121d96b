"""Ports of the loopback for servers of tests that run beside others, and that start again.

A port that the kernel gave out is free again as soon as its socket is closed: until the server
listens there, and while it is stopped, any other process may get it.  So ports come from below the
range that the kernel gives out, and every process of tests has a block of them to itself.
"""

import itertools
import socket
from collections.abc import Iterator
from contextlib import closing, suppress
from functools import cache

FIRST, LAST, BLOCK = 10_000, 32_000, 200


def free_port() -> int:
    """A port that nobody listens on, and that no other process of tests will take."""
    ports, _ = _reserved()
    for port in itertools.islice(ports, BLOCK):
        with closing(socket.socket()) as listener, suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port
    raise RuntimeError(f"none of this process's {BLOCK} ports is free")


@cache
def _reserved() -> tuple[Iterator[int], socket.socket]:
    """The ports of one block, again and again, and what reserves it until this process ends.

    The reservation is a name among the abstract Unix sockets: the kernel frees it with the process.
    """
    for first in range(FIRST, LAST, BLOCK):
        reservation = socket.socket(socket.AF_UNIX)
        with suppress(OSError):
            reservation.bind(f"\0slipway-test-ports-{first}")
            return itertools.cycle(range(first, first + BLOCK)), reservation
        reservation.close()
    raise RuntimeError(f"every block of {BLOCK} ports from {FIRST} to {LAST} is reserved")
