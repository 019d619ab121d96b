"""FakeClock: a clock that a test advances."""

from __future__ import annotations

from dataclasses import dataclass

YEAR_MS = 365 * 24 * 60 * 60 * 1000


@dataclass
class FakeClock:
    """Wall and monotonic time pass together, but the wall clock can also be set."""

    wall: int = 1_800_000_000_000
    monotonic: int = 1_000_000

    def wall_ms(self) -> int:
        return self.wall

    def monotonic_ms(self) -> int:
        return self.monotonic

    def advance(self, milliseconds: int) -> None:
        self.wall += milliseconds
        self.monotonic += milliseconds

    def set_by(self, milliseconds: int) -> None:
        """Somebody sets the wall clock; no time passes."""
        self.wall += milliseconds
