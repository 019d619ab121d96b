"""Lock times: histograms of how long the write lock was held, by purpose."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

# Upper bounds, in milliseconds; a last bucket counts longer times.
BOUNDS_MS = (1, 2, 5, 10, 20, 50, 100)


@dataclass(slots=True)
class Histogram:
    """Durations by bucket.  One thread writes; others may read."""

    buckets: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_MS) + 1))
    count: int = 0
    total_ms: float = 0.0
    longest_ms: float = 0.0

    def add(self, milliseconds: float) -> None:
        self.buckets[bisect_left(BOUNDS_MS, milliseconds)] += 1
        self.count += 1
        self.total_ms += milliseconds
        self.longest_ms = max(self.longest_ms, milliseconds)


class LockTimes:
    """One histogram for each purpose that units of work were submitted for."""

    def __init__(self) -> None:
        self._of: dict[str, Histogram] = {}

    def of(self, purpose: str) -> Histogram:
        found = self._of.get(purpose)
        if found is None:
            found = self._of[purpose] = Histogram()
        return found
