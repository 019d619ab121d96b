"""Descriptors: limit connections to the file descriptors that the process may open."""

import resource
from dataclasses import replace

from registry.server.limits import Limits

# A connection that sends a blob uses three: its socket, a duplicate of it, and the file.
_PER_CONNECTION = 3
_FOR_THE_REST = 64


def fit_to_fd_limit(limits: Limits) -> Limits:
    """The limits, with connections reduced to the available descriptors.

    Without descriptors left, the database could not open its files, and every request would fail.
    """
    held, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = limits.connections * _PER_CONNECTION + _FOR_THE_REST
    if held < wanted:
        held = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
        resource.setrlimit(resource.RLIMIT_NOFILE, (held, most))
    room = max(1, (held - _FOR_THE_REST) // _PER_CONNECTION)
    return replace(limits, connections=min(limits.connections, room))
