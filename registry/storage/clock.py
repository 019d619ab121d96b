"""Clock: wall time, which can be set, and monotonic time, which cannot."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """The time, in milliseconds.  Two monotonic times compare only within one process.

    Every implementation passes tests/registry/storage/test_clock.py.
    """

    def wall_ms(self) -> int:
        """Since 1970."""
        ...

    def monotonic_ms(self) -> int: ...


class SystemClock:
    """The machine's clock."""

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic_ms(self) -> int:
        return time.monotonic_ns() // 1_000_000
