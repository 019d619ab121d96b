"""Lock times: durations fall into the bucket whose bound they do not pass."""

import pytest

from registry.storage.database.lock_times import BOUNDS_MS, Histogram, LockTimes


@pytest.mark.parametrize(
    ("milliseconds", "bucket"), [(0.0, 0), (1.0, 0), (1.01, 1), (100, 6), (100.1, 7), (9999, 7)]
)
def test_a_duration_is_counted_in_its_bucket(milliseconds: float, bucket: int) -> None:
    histogram = Histogram()

    histogram.add(milliseconds)

    expected = [0] * (len(BOUNDS_MS) + 1)
    expected[bucket] = 1
    assert histogram.buckets == expected


def test_a_histogram_has_count_sum_and_longest() -> None:
    histogram = Histogram()
    for milliseconds in (3.0, 8.0, 5.0):
        histogram.add(milliseconds)

    assert (histogram.count, histogram.total_ms, histogram.longest_ms) == (3, 16.0, 8.0)


def test_each_purpose_has_its_own() -> None:
    times = LockTimes()
    times.of("gc").add(2)

    assert (times.of("gc").count, times.of("request").count) == (1, 0)
