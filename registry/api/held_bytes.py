"""HeldBytes: a limit on the bodies that all requests together hold in memory."""

from __future__ import annotations

from registry.errors import TooManyRequests

MAX_HELD_BYTES = 64 * 1024 * 1024
# This much of every body is not counted, as the number of connections limits it: a manifest of
# usual size is never refused because of other clients' large ones.
FREE_BYTES = 64 * 1024


class HeldBytes:
    """Counts the held bytes; a request that would exceed the limit is refused."""

    def __init__(self, limit: int = MAX_HELD_BYTES) -> None:
        self._limit = limit
        self.total = 0

    def take(self, count: int) -> None:
        """Count more bytes; raises TooManyRequests, and counts nothing, above the limit."""
        if self.total + count > self._limit:
            raise TooManyRequests(
                f"manifests that come and go hold {self.total} bytes of memory, expected at most "
                f"{self._limit}: try again later"
            )
        self.total += count

    def give_back(self, count: int) -> None:
        self.total -= count


class Hold:
    """The bytes that one request holds until it ends."""

    __slots__ = ("_all", "_count", "_taken")

    def __init__(self, all_held: HeldBytes) -> None:
        self._all = all_held
        self._count = 0
        self._taken = 0

    def add(self, count: int) -> None:
        """Count more held bytes.  Raises TooManyRequests."""
        beyond = self._count + count - FREE_BYTES
        if beyond > 0:
            self._all.take(beyond - self._taken)
            self._taken = beyond
        self._count += count

    def release(self) -> None:
        """Release the bytes at the request's end."""
        if self._taken:
            self._all.give_back(self._taken)
        self._count = self._taken = 0
