"""Deadlines: measure the rates at which a client sends its body and reads the response.

A client that neither sends nor reads is disconnected, and no other is (rule HT-3).
"""

from registry.server.limits import Limits


class RateMeter:
    """Measures in windows, never over a whole body: 10 GiB may take an hour."""

    def __init__(self, limits: Limits) -> None:
        self._window_seconds = limits.body_window_seconds
        self._window_bytes = limits.body_window_seconds * limits.body_bytes_per_second
        self._stall_seconds = limits.write_stall_seconds
        self._arrived_bytes = 0
        self._window_start = 0.0
        self._taken = (0, 0)
        self._taken_at = 0.0

    def begin(self, now: float) -> None:
        """Begin to measure the body, once a request's head is complete."""
        self._window_start = self._taken_at = now
        self._arrived_bytes = 0

    def arrived(self, count: int) -> None:
        self._arrived_bytes += count

    def is_too_slow(self, now: float, *, may_send: bool) -> bool:
        """Whether a whole window passed with too few bytes of the body.

        A client that was paused starts a new window when it may continue.
        """
        if may_send:
            if now - self._window_start < self._window_seconds:
                return False
            if self._arrived_bytes < self._window_bytes:
                return True
        self._window_start = now
        self._arrived_bytes = 0
        return False

    def is_stalled(self, now: float, sent_bytes: int, unsent_bytes: int) -> bool:
        """Whether the client has read nothing for too long while bytes were waiting."""
        taken = (sent_bytes, unsent_bytes)
        if not unsent_bytes or taken != self._taken:
            self._taken = taken
            self._taken_at = now
        return now - self._taken_at >= self._stall_seconds
