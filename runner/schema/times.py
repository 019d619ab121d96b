"""Parse and format the Engine API's times: RFC 3339, seconds since 1970, durations.

https://docs.docker.com/engine/api/v1.44/#tag/Container/operation/ContainerLogs and ContainerInspect
https://www.rfc-editor.org/rfc/rfc3339#section-5.6
"""

import re
from datetime import UTC, datetime, timedelta

from runner.errors import BadRequest

# Go's zero time: clients take it for "never".
NEVER = "0001-01-01T00:00:00Z"

# https://pkg.go.dev/time#ParseDuration: "a possibly signed sequence of decimal numbers, each with
# optional fraction and a unit suffix".  Without the sign: a time ahead of now selects everything,
# and a prune would remove it.  With days, which Go lacks and people write.
_SECONDS = {
    "ns": 1e-9,
    "us": 1e-6,
    "\u00b5s": 1e-6,  # the micro sign
    "\u03bcs": 1e-6,  # the Greek letter mu
    "ms": 1e-3,
    "s": 1,
    "m": 60,
    "h": 3600,
    "d": 86400,
}
_SECONDS_SINCE_1970 = re.compile(r"-?[0-9]+(?:\.[0-9]*)?")
_NUMBER = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
_PART = re.compile(rf"({_NUMBER})({'|'.join(sorted(_SECONDS, key=len, reverse=True))})")
_DURATION = re.compile(rf"(?:{_PART.pattern})+")


def format_time(when: datetime | None) -> str:
    """RFC 3339 in UTC with microseconds; ``NEVER`` for None."""
    if when is None:
        return NEVER
    return when.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def parse_time(text: str) -> datetime | None:
    """Parse ``since`` and ``until``, in UTC; None for "" and 0.  BadRequest for an invalid time."""
    if text in ("", "0"):
        return None
    try:
        if _SECONDS_SINCE_1970.fullmatch(text):
            return datetime.fromtimestamp(float(text), UTC)
        when = datetime.fromisoformat(text)
        # Out of range if it is of another zone, and in UTC before the year 1 or after 9999.
        return when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError) as error:
        expected = "expected seconds since 1970 or a time like 2026-11-21T09:00:00Z"
        raise BadRequest(f"invalid time {text!r}: {expected}") from error


def parse_duration(text: str) -> float | None:
    """Parse a Go duration without a sign, in seconds, or None for other text.

    >>> parse_duration("1h30m"), parse_duration("1.5s"), parse_duration("2d"), parse_duration("7")
    (5400.0, 1.5, 172800.0, None)
    """
    if not _DURATION.fullmatch(text):
        return None
    return sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))


def parse_time_or_age(text: str) -> datetime:
    """Parse a time, or a duration before now: ``10m``, ``1h30m``.  BadRequest for others."""
    seconds = parse_duration(text)
    if seconds is not None:
        try:
            return datetime.now(UTC) - timedelta(seconds=seconds)
        except OverflowError as error:
            raise BadRequest(f"invalid time {text!r}: too long ago") from error
    when = parse_time(text)
    if when is None:
        raise BadRequest(f"invalid time {text!r}: expected a time, or a duration like 1h30m")
    return when


def read_rfc3339(text: str | None) -> datetime | None:
    """Parse an image's ``created``; None if absent or invalid: no image is refused for it."""
    try:
        when = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return when if when.tzinfo else when.replace(tzinfo=UTC)
