"""Limits: times, rates and sizes of requests, above which they are refused."""

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits for one client.  Those that are settings have no default here."""

    header_seconds: float
    """Time from the start of a connection, or a request's first byte, to the end of the head."""
    keep_alive_seconds: float
    """Time that an idle connection is kept; longer than the 90 seconds of Go's clients."""
    body_bytes_per_second: int
    """A rate, not a total time: a body may be of any length while it keeps arriving."""
    shutdown_seconds: float
    """Time for requests in progress after SIGTERM; then they are cut off."""
    head_bytes: int = 64 * 1024
    head_fields: int = 100
    body_window_seconds: float = 30
    write_stall_seconds: float = 60
    """A client that reads nothing of a response for this time is disconnected."""
    unacknowledged_seconds: float = 60
    """TCP_USER_TIMEOUT: time that sent data may stay unacknowledged."""
    drain_bytes: int = 64 * MIB
    """Most bytes of a refused body to read, so that the client sees the refusal before a reset."""
    drain_seconds: float = 10
    pipelined_bytes: int = 64 * 1024
    """Most unparsed bytes of pipelined requests; a parsed request takes 4 KiB."""
    pipelined_requests: int = 16
    """Most parsed pipelined requests: only the parser finds the end of a chunked body."""
    connections: int = 10_000
