"""Times of the Engine API: what is read, and how they are written."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import BadRequest
from runner.schema.times import (
    NEVER,
    format_time,
    parse_duration,
    parse_time,
    parse_time_or_age,
    read_rfc3339,
)

MOMENT = datetime(2026, 11, 21, 9, 0, 0, 250000, UTC)


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("", None),
        ("0", None),
        ("1795251600.25", MOMENT),
        ("2026-11-21T09:00:00.25Z", MOMENT),
        ("2026-11-21T10:00:00.250000000+01:00", MOMENT),
        ("2026-11-21T09:00:00.25", MOMENT),
    ],
)
def test_seconds_and_rfc_3339_are_read(text: str, when: datetime | None) -> None:
    assert parse_time(text) == when


@pytest.mark.parametrize(
    "text", ["yesterday", "1e300", "nan", "2026-13-01", "1_0", "\uff11", "9" * 5000]
)
def test_text_without_a_time_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="invalid time"):
        parse_time(text)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"])
def test_a_time_that_utc_does_not_have_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="expected seconds since 1970 or a time like"):
        parse_time(text)


DIGITS = st.text(alphabet="0123456789-+:.TZe ", max_size=30)
MINUTES = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(timezones=st.just(UTC) | MINUTES)


@given(st.text(max_size=30) | DIGITS | MOMENTS.map(datetime.isoformat))
def test_any_text_is_a_time_in_utc_or_refused(text: str) -> None:
    try:
        when = parse_time(text)
    except BadRequest as refusal:
        assert str(refusal).startswith(f"invalid time {text!r}: expected ")
        return

    assert parse_time(format_time(when)) == when if when else text in ("", "0")


@given(MOMENTS)
def test_a_time_is_read_as_it_was_written(moment: datetime) -> None:
    try:
        written = format_time(moment)
    except OverflowError:
        return  # in UTC it is before the year 1, or after 9999

    assert parse_time(written) == moment


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10m", 600), ("1h30m", 5400), ("240h", 864_000), ("1.5s", 1.5), (".5h", 1800), ("1d", 86400)],
)
def test_an_age_is_before_now(text: str, seconds: float) -> None:
    before = datetime.now(UTC)
    when = parse_time_or_age(text)
    after = datetime.now(UTC)

    assert before <= when + timedelta(seconds=seconds) <= after


@pytest.mark.parametrize("text", ["", "0", "1w", "h", ".h", "-5m", "99999999999999h"])
def test_text_that_is_neither_a_time_nor_an_age_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="invalid time"):
        parse_time_or_age(text)


@given(
    st.lists(
        st.tuples(
            st.decimals(0, 10_000, places=3, allow_nan=False),
            st.sampled_from(["ns", "us", "µs", "μs", "ms", "s", "m", "h", "d"]),
        ),
        min_size=1,
    )
)
def test_a_duration_is_the_sum_of_its_parts(parts: list[tuple[Decimal, str]]) -> None:
    text = "".join(f"{number}{unit}" for number, unit in parts)
    seconds = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600, "d": 86400}
    expected = sum(
        float(number) * seconds[unit.replace("µ", "u").replace("μ", "u")] for number, unit in parts
    )

    assert parse_duration(text) == pytest.approx(expected)


@given(st.text(alphabet="0123456789.nuµmshd-+ \n"))
def test_any_other_text_is_no_duration(text: str) -> None:
    seconds = parse_duration(text)

    assert seconds is None or (seconds >= 0 and text[-1] in "shmd")


def test_times_are_written_in_utc() -> None:
    assert format_time(MOMENT) == "2026-11-21T09:00:00.250000Z"
    assert format_time(None) == NEVER
    assert parse_time(format_time(MOMENT)) == MOMENT


@pytest.mark.parametrize("text", [None, "", "soon"])
def test_an_image_without_a_time_has_none(text: str | None) -> None:
    assert read_rfc3339(text) is None
    assert read_rfc3339("2026-11-21T09:00:00.25") == MOMENT
