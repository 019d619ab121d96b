"""Clock: wall time, which can be set, and monotonic time, which cannot."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """The time, in milliseconds.  Two monotonic times compare only within one process.

    Every implementation passes tests/registry/storage/test_clock.py.
    """

    def wall_ms(self) -> int:
        """Since 1970."""
        ...

    def monotonic_ms(self) -> int: ...
