"""Retention: how long unreferenced content is kept, by the wall clock and by epochs.

An epoch is counted in monotonic time (``metadata/epochs.py``).  A time is over when it has passed
by the wall clock *and* enough epochs have begun that it must have passed in monotonic time too: a
jump of the wall clock ends nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

DAY_MS = 24 * 60 * 60 * 1000
# Tolerance for a clock that is set back; times further ahead count as written by a wrong clock.
SLACK_MS = 7 * DAY_MS


@dataclass(frozen=True, slots=True)
class Lease:
    """Keep content until then that was pushed, or reported as present to a pusher."""

    until: int
    epoch: int

    @classmethod
    def begin(cls, now: int, epoch: int, duration_ms: int) -> Lease:
        """A lease from now on.  Cutoff.lease says when it is over."""
        return cls(now + duration_ms, epoch)


@dataclass(frozen=True, slots=True)
class Leased(Generic[T]):
    """Something that was found, its lease, and the present epoch."""

    value: T
    lease: Lease
    epoch: int


@dataclass(frozen=True, slots=True)
class Retention:
    """Durations in milliseconds."""

    lease_ms: int
    epoch_ms: int
    undelete_ms: int
    untagged_ms: int
    """0: untagged manifests are kept for good."""

    def epochs(self, duration_ms: int, least: int = 0) -> int:
        """The number of epochs after which a duration has certainly passed.

        >>> Retention(lease_ms=0, epoch_ms=1000, undelete_ms=0, untagged_ms=0).epochs(3000)
        4
        """
        if duration_ms <= 0:
            return least
        # A time just before an epoch began is counted in the epoch before: hence one more.
        return max(least, math.ceil(duration_ms / self.epoch_ms) + 1)

    @property
    def lease_epochs(self) -> int:
        return self.epochs(self.lease_ms, least=2)

    def is_fresh(self, lease: Lease, now: int, epoch: int) -> bool:
        """Whether at least half of a lease remains, by wall time and by epochs (rule PERF-1)."""
        remaining, passed = lease.until - now, epoch - lease.epoch
        return remaining >= self.lease_ms // 2 and passed <= self.lease_epochs // 2


@dataclass(frozen=True, slots=True)
class Cutoff:
    """A cutoff: anything at or before it has expired, by the wall clock and by epochs.

    A wall time after ``beyond`` was written by a clock that was ahead, and is ignored: then only
    epochs count.
    """

    at: int
    epoch: int
    beyond: int

    @classmethod
    def lease(cls, now: int, epoch: int, retention: Retention) -> Cutoff:
        """For ``lease_until`` and ``lease_epoch``."""
        return cls(now, epoch - retention.lease_epochs, now + retention.lease_ms + SLACK_MS)

    @classmethod
    def untagged(cls, now: int, epoch: int, retention: Retention) -> Cutoff:
        """For ``lease_until`` and ``lease_epoch`` of a manifest that nothing names."""
        longer = max(0, retention.untagged_ms - retention.lease_ms)
        epochs = max(retention.lease_epochs, retention.epochs(retention.untagged_ms))
        return cls(now - longer, epoch - epochs, now + retention.lease_ms + SLACK_MS)

    @classmethod
    def trash(cls, now: int, epoch: int, retention: Retention) -> Cutoff:
        """For ``deleted_at`` and ``epoch``."""
        epochs = retention.epochs(retention.undelete_ms)
        return cls(now - retention.undelete_ms, epoch - epochs, now + SLACK_MS)
