"""Limits: how long, how slow and how large a request may be before it is refused."""

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """What one client may ask of the server's patience and memory."""

    header_seconds: float = 10
    """From the first byte of a request, or the start of a connection, to the end of its headers."""
    keep_alive_seconds: float = 95
    """An idle connection; longer than the 90 seconds for which Go's clients keep theirs."""
    head_bytes: int = 64 * 1024
    head_fields: int = 100
    body_bytes_per_second: int = 1024
    """Not an absolute time: a body may be of any length as long as it keeps coming."""
    body_window_seconds: float = 30
    write_stall_seconds: float = 60
    """A client that takes nothing of a response for so long is gone."""
    unacknowledged_seconds: float = 60
    """TCP_USER_TIMEOUT: data that the other machine does not acknowledge."""
    drain_bytes: int = 64 * MIB
    """Of a body nobody wants, so that its client can read the refusal before a reset."""
    drain_seconds: float = 10
    pipelined_bytes: int = 64 * 1024
    """Of requests that wait for the answers before them, unparsed: a parsed one takes 4 KiB."""
    pipelined_requests: int = 16
    """Parsed behind a chunked body, whose end only the parser finds."""
    connections: int = 10_000
    shutdown_seconds: float = 30
    """For requests in flight after SIGTERM; then they are cut."""
