"""SystemClock: the machine's clock."""

from __future__ import annotations

import time


class SystemClock:
    """A Clock.  Only the composition makes one, so that a process has one clock."""

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic_ms(self) -> int:
        return time.monotonic_ns() // 1_000_000
