"""Select log entries by stream, and format them as frames, with timestamps on request."""

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from runner.runtime.contract import Frame, StdStream
from runner.runtime.logs import Entry


@dataclass(frozen=True, slots=True)
class Selection:
    """The requested part of a log; ``tail`` is the number of lines from the end."""

    streams: Collection[StdStream] = (StdStream.STDOUT, StdStream.STDERR)
    tail: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    timestamps: bool = False


async def frames(entries: AsyncIterator[Entry], selection: Selection) -> AsyncIterator[Frame]:
    """The selected entries as frames; a timestamp only at the start of a line."""
    broken: set[StdStream] = set()
    async for entry in entries:
        if entry.stream not in selection.streams:
            continue
        content = entry.content
        if selection.timestamps and entry.stream not in broken:
            content = f"{utc(entry.time)} ".encode() + content
        if content.endswith(b"\n"):
            broken.discard(entry.stream)
        else:
            broken.add(entry.stream)
        yield Frame(entry.stream, content)


def utc(text: str) -> str:
    """An RFC 3339 time as docker writes it: in UTC, with nine digits and a Z.

    >>> utc("2026-11-21T10:00:00.123456789+01:00")
    '2026-11-21T09:00:00.123456789Z'
    """
    try:
        moment = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return text
    # datetime holds six digits, the log nine.
    fraction = text.partition(".")[2].rstrip("Z").partition("+")[0].partition("-")[0]
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{fraction:0<9}Z"
