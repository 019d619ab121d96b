"""Read conmon's log files: parse entries, tail, follow.

Each line is ``time stream F|P text`` (Kubernetes' CRI format): the time in RFC 3339 with
nanoseconds, the stream stdout or stderr, P for a piece whose line goes on in the next entry.
https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from runner.linux.inotify import FileWatch
from runner.runtime.contract import StdStream
from runner.runtime.log_files import LogFiles

_STREAMS: Final = {b"stdout": StdStream.STDOUT, b"stderr": StdStream.STDERR}
_TIME: Final = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One log entry; ``content`` ends in a newline unless it is a piece of a line (``P``)."""

    time: str
    stream: StdStream
    content: bytes

    @property
    def nanoseconds(self) -> int:
        """The time in nanoseconds since the epoch; 0 if it cannot be parsed."""
        return nanoseconds(self.time)


def parse_entry(line: bytes) -> Entry | None:
    """Parse a line without its newline; None if it is not an entry.

    >>> parse_entry(b"2026-11-21T09:00:00.000000001Z stdout F hello").content
    b'hello\\n'
    """
    time, _, rest = line.partition(b" ")
    name, _, rest = rest.partition(b" ")
    tag, _, text = rest.partition(b" ")
    stream = _STREAMS.get(name)
    if stream is None or tag not in (b"F", b"P"):
        return None
    return Entry(time.decode(errors="replace"), stream, text + b"\n" if tag == b"F" else text)


def nanoseconds(text: str) -> int:
    match = _TIME.fullmatch(text)
    if match is None:
        return 0
    whole, fraction, zone = match.groups()
    offset = "+00:00" if zone == "Z" else zone
    with suppress(ValueError, OverflowError):
        seconds = int(datetime.fromisoformat(whole + offset).astimezone(UTC).timestamp())
        return seconds * 1_000_000_000 + int((fraction or "0").ljust(9, "0"))
    return 0


def to_nanoseconds(moment: datetime) -> int:
    """A time in nanoseconds since the epoch."""
    return int(moment.timestamp()) * 1_000_000_000 + moment.microsecond * 1000


async def entries(
    log: Path,
    *,
    tail: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    ended: Callable[[], Awaitable[object]] | None = None,
) -> AsyncIterator[Entry]:
    """Log entries, oldest first: all, or the last ``tail`` lines.

    With ``ended`` the log is followed by inotify until that completes and the rest is read.
    Rotated files are read first, and rotations are followed.
    """
    first = to_nanoseconds(since) if since else 0
    last = to_nanoseconds(until) if until else 0
    async for entry in _entries(log, tail, ended):
        if last and entry.nanoseconds > last:
            return
        if not first or entry.nanoseconds >= first:
            yield entry


async def _entries(
    log: Path, tail: int | None, ended: Callable[[], Awaitable[object]] | None
) -> AsyncIterator[Entry]:
    files = LogFiles(log)
    try:
        if tail is not None:
            files.seek_tail(tail)
        if ended is None:
            for entry in _read(files):
                yield entry
            return
        async for entry in _follow(files, log, ended):
            yield entry
    finally:
        files.close()


async def _follow(
    files: LogFiles, log: Path, ended: Callable[[], Awaitable[object]]
) -> AsyncIterator[Entry]:
    end = asyncio.ensure_future(ended())
    watch = FileWatch(log)
    try:
        while True:
            finished = end.done()
            for entry in _read(files):
                yield entry
            if files.was_rotated():
                # The monitor wrote to the old file until it created the new one.
                files.open_new()
                watch.close()
                watch = FileWatch(log)
                continue
            if finished:
                return
            news = asyncio.ensure_future(watch.wait())
            await asyncio.wait({news, end}, return_when=asyncio.FIRST_COMPLETED)
            news.cancel()
    finally:
        watch.close()
        end.cancel()


def _read(files: LogFiles) -> Iterator[Entry]:
    for line in files.lines():
        if entry := parse_entry(line):
            yield entry
