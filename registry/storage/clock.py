"""Clock: wall time, which can be set, and monotonic time, which cannot."""

from __future__ import annotations

import time
from functools import cached_property
from pathlib import Path
from typing import Protocol

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Clock(Protocol):
    """The time, in milliseconds.  Two monotonic times compare only within one ``boot``."""

    def wall_ms(self) -> int:
        """Since 1970."""
        ...

    def monotonic_ms(self) -> int: ...

    @property
    def boot(self) -> str: ...


class SystemClock:
    """The machine's clock."""

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic_ms(self) -> int:
        return time.monotonic_ns() // 1_000_000

    @cached_property
    def boot(self) -> str:
        return BOOT_ID.read_text().strip()
