"""Moments in the Engine API's forms: RFC 3339 out, seconds since the epoch or RFC 3339 in."""

from datetime import UTC, datetime

from runner.errors import BadRequest

# Go's zero time, which clients compare with to see that something has not happened.
NEVER = "0001-01-01T00:00:00Z"


def moment(when: datetime | None) -> str:
    if when is None:
        return NEVER
    return when.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def parse_moment(text: str) -> datetime | None:
    """``since`` and ``until``; "" and 0 say nothing.  BadRequest about anything unreadable."""
    if text in ("", "0"):
        return None
    try:
        return datetime.fromtimestamp(float(text), UTC)
    except (ValueError, OverflowError):
        pass
    try:
        when = datetime.fromisoformat(text)
    except ValueError as error:
        expected = "expected seconds since 1970 or a time like 2026-11-21T09:00:00Z"
        raise BadRequest(f"invalid time {text!r}: {expected}") from error
    return when if when.tzinfo else when.replace(tzinfo=UTC)
