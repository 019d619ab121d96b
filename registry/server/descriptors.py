"""Descriptors: as many connections as the process can really hold open."""

import resource
from dataclasses import replace

from registry.server.limits import Limits

# A connection that sends a blob has its socket, a duplicate of it, and the blob.
_PER_CONNECTION = 3
_FOR_THE_REST = 64


def fit_to_fd_limit(limits: Limits) -> Limits:
    """The limits with no more connections than there are descriptors for.

    Accepting one too many would fail for everybody: the database could not open its files.
    """
    held, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = limits.connections * _PER_CONNECTION + _FOR_THE_REST
    if held < wanted:
        held = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
        resource.setrlimit(resource.RLIMIT_NOFILE, (held, most))
    room = max(1, (held - _FOR_THE_REST) // _PER_CONNECTION)
    return replace(limits, connections=min(limits.connections, room))
