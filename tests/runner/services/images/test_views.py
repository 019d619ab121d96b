"""Images as the Engine API shows them: what an image says of its time is no reason to fail."""

from datetime import UTC, datetime

import pytest

from runner.services.images.views import unix_time


@pytest.mark.parametrize(
    ("created", "seconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59Z", -1),
        ("1901-01-01T00:00:00.123456789+02:00", -2177460000),
        ("0001-01-01T00:00:00Z", -62135596800),
        ("0001-01-01T00:00:00+14:00", -62135596800),
        ("9999-12-31T23:59:59-12:00", 253402300799),
        ("0000-00-00T00:00:00Z", 0),
        ("yesterday", 0),
        ("", 0),
        (None, 0),
    ],
)
def test_any_time_of_an_image_can_be_shown(created: str | None, seconds: int) -> None:
    assert unix_time(created) == seconds
    assert datetime.fromtimestamp(seconds, UTC).year >= 1
