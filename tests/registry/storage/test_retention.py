"""Retention: the end of a lease, and the time from which it is renewed."""

import pytest

from registry.storage.metadata import epochs
from registry.storage.retention import Cutoff, Lease, Retention

HOUR = 60 * 60 * 1000
RETENTION = Retention(lease_ms=24 * HOUR, epoch_ms=HOUR, undelete_ms=72 * HOUR, untagged_ms=0)
NOW, EPOCH = 1_000 * HOUR, 500


def is_over(lease: Lease, now: int, epoch: int) -> bool:
    """As a query says it, with values for its columns."""
    return bool(epochs.is_expired(Cutoff.lease(now, epoch, RETENTION), lease.until, lease.epoch))


@pytest.mark.parametrize(
    ("hours", "passed", "over"),
    [
        (24, 25, True),
        (23, 25, False),
        (24, 24, False),
        (0, 25, False),
        (100_000, 0, False),
    ],
)
def test_a_lease_is_over_by_both_clocks(hours: int, passed: int, over: bool) -> None:
    lease = Lease.begin(NOW, EPOCH, RETENTION.lease_ms)

    assert is_over(lease, NOW + hours * HOUR, EPOCH + passed) is over


def test_a_lease_of_a_clock_that_was_years_ahead_is_over_by_its_epochs() -> None:
    lease = Lease.begin(NOW + 100_000 * HOUR, EPOCH, RETENTION.lease_ms)

    assert is_over(lease, NOW, EPOCH + 25)
    assert not is_over(lease, NOW, EPOCH + 24)


@pytest.mark.parametrize(
    ("hours", "passed", "fresh"),
    [(0, 0, True), (12, 12, True), (13, 0, False), (0, 13, False)],
)
def test_a_lease_is_fresh_while_half_of_it_remains(hours: int, passed: int, fresh: bool) -> None:
    lease = Lease.begin(NOW, EPOCH, RETENTION.lease_ms)

    assert RETENTION.is_fresh(lease, NOW + hours * HOUR, EPOCH + passed) is fresh
