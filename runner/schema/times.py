"""Parse and format the Engine API's times: RFC 3339, seconds since 1970, durations."""

import re
from datetime import UTC, datetime, timedelta

from runner.errors import BadRequest

# Go's zero time: clients take it for "never".
NEVER = "0001-01-01T00:00:00Z"

# https://pkg.go.dev/time#ParseDuration
_DURATION = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?(?:ns|us|µs|ms|s|m|h))+", re.ASCII)
_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?)(ns|us|µs|ms|s|m|h)", re.ASCII)
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}


def format_time(when: datetime | None) -> str:
    """RFC 3339 in UTC with microseconds; ``NEVER`` for None."""
    if when is None:
        return NEVER
    return when.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def parse_time(text: str) -> datetime | None:
    """Parse ``since`` and ``until``; None for "" and 0.  BadRequest for an invalid time."""
    if text in ("", "0"):
        return None
    try:
        return datetime.fromtimestamp(float(text), UTC)
    except (ValueError, OverflowError, OSError):
        pass
    try:
        when = datetime.fromisoformat(text)
    except ValueError as error:
        expected = "expected seconds since 1970 or a time like 2026-11-21T09:00:00Z"
        raise BadRequest(f"invalid time {text!r}: {expected}") from error
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def parse_time_or_age(text: str) -> datetime:
    """Parse a time, or a Go duration before now: ``10m``, ``1h30m``.  BadRequest for others."""
    if _DURATION.fullmatch(text):
        seconds = sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
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
