"""Durations and sizes, beside what docker prints for them."""

import pytest

from runner.schema.humanize import human_duration, human_memory, human_size


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "Less than a second"),
        (1, "1 second"),
        (59.9, "59 seconds"),
        (60, "About a minute"),
        (3 * 60, "3 minutes"),
        (59 * 60, "59 minutes"),
        (60 * 60, "About an hour"),
        (90 * 60, "2 hours"),
        (47 * 3600, "47 hours"),
        (48 * 3600, "2 days"),
        (13 * 86400, "13 days"),
        (14 * 86400, "2 weeks"),
        (60 * 86400, "2 months"),
        (800 * 86400, "2 years"),
    ],
)
def test_durations_are_go_units_words(seconds: float, words: str) -> None:
    assert human_duration(seconds) == words


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0B"), (999, "999B"), (1000, "1kB"), (4_330_000, "4.33MB"), (198_123_456, "198.1MB")],
)
def test_sizes_have_four_digits_in_powers_of_1000(size: int, words: str) -> None:
    assert human_size(size) == words


def test_lists_show_three_digits() -> None:
    assert human_size(1_982_000, 3) == "1.98MB"


@pytest.mark.parametrize(
    ("size", "words"), [(512, "512B"), (25_276_510_208, "23.54GiB"), (1 << 45, "32TiB")]
)
def test_memory_is_told_in_powers_of_1024(size: int, words: str) -> None:
    assert human_memory(size) == words
