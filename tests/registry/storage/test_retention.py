"""Retention: durations in epochs, the end of a lease, when it is renewed, and cutoffs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.storage.metadata import epochs
from registry.storage.retention import DAY_MS, SLACK_MS, Cutoff, Lease, Retention

HOUR = 60 * 60 * 1000
RETENTION = Retention(lease_ms=24 * HOUR, epoch_ms=HOUR, undelete_ms=72 * HOUR, untagged_ms=0)
UNTAGGED = Retention(lease_ms=2 * HOUR, epoch_ms=HOUR, undelete_ms=DAY_MS, untagged_ms=3 * DAY_MS)
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


@given(st.integers(1, 10**12), st.integers(1, 10**9), st.integers(0, 10**9))
def test_a_duration_has_passed_when_so_many_epochs_have_begun(
    duration: int, epoch: int, into: int
) -> None:
    retention = Retention(lease_ms=0, epoch_ms=epoch, undelete_ms=0, untagged_ms=0)
    epochs = retention.epochs(duration)

    # Whenever in its epoch the time began, the last of them begins after its end.
    assert epochs * epoch - into % epoch >= duration


@pytest.mark.parametrize(("duration", "least", "epochs"), [(0, 0, 0), (-1, 2, 2), (1, 5, 5)])
def test_a_duration_has_at_least_so_many(duration: int, least: int, epochs: int) -> None:
    assert UNTAGGED.epochs(duration, least) == epochs


def test_cutoffs_are_of_the_lease_the_tag_and_the_trash() -> None:
    now, epoch = 100 * DAY_MS, 1000

    assert Cutoff.lease(now, epoch, UNTAGGED) == Cutoff(now, epoch - 3, now + 2 * HOUR + SLACK_MS)
    assert Cutoff.untagged(now, epoch, UNTAGGED) == Cutoff(
        now - 3 * DAY_MS + 2 * HOUR, epoch - 73, now + 2 * HOUR + SLACK_MS
    )
    assert Cutoff.trash(now, epoch, UNTAGGED) == Cutoff(now - DAY_MS, epoch - 25, now + SLACK_MS)


def test_untagged_manifests_are_kept_no_shorter_than_their_lease() -> None:
    brief = Retention(lease_ms=2 * HOUR, epoch_ms=HOUR, undelete_ms=0, untagged_ms=1)

    assert Cutoff.untagged(DAY_MS, 50, brief) == Cutoff.lease(DAY_MS, 50, brief)
