"""Container logs: the file that conmon writes, read from the end or followed as it grows.

Each line is ``time stream F|P text`` (Kubernetes' CRI format): the time in RFC 3339 with
nanoseconds, the stream stdout or stderr, P for a piece whose line goes on in the next entry.
https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from runner.linux.inotify import FileWatch
from runner.runtime.contract import StdStream

_STREAMS: Final = {b"stdout": StdStream.STDOUT, b"stderr": StdStream.STDERR}
_CHUNK_BYTES: Final = 64 * 1024
_TIME: Final = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: ``content`` ends in a newline unless its line goes on (``P``)."""

    time: str
    stream: StdStream
    content: bytes

    @property
    def nanoseconds(self) -> int:
        """The time since the epoch; 0 for a time that cannot be read."""
        return nanoseconds(self.time)


def parse_entry(line: bytes) -> Entry | None:
    """Read a line of the file, its newline taken off; None for one that is not an entry.

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
    with suppress(ValueError):
        seconds = int(datetime.fromisoformat(whole + offset).astimezone(UTC).timestamp())
        return seconds * 1_000_000_000 + int((fraction or "0").ljust(9, "0"))
    return 0


def in_nanoseconds(moment: datetime) -> int:
    """A moment on the log's clock."""
    return int(moment.timestamp()) * 1_000_000_000 + moment.microsecond * 1000


async def entries(
    log: Path,
    *,
    tail: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    ended: Callable[[], Awaitable[object]] | None = None,
) -> AsyncIterator[Entry]:
    """What was logged, oldest first: all of it, or the last ``tail`` lines.

    With ``ended`` the file is followed, woken by the kernel when it grows, until that is done
    and the rest is read.  A file that was renamed and begun anew is followed to the new one.
    """
    first = in_nanoseconds(since) if since else 0
    last = in_nanoseconds(until) if until else 0
    async for entry in _entries(log, tail, ended):
        if last and entry.nanoseconds > last:
            return
        if not first or entry.nanoseconds >= first:
            yield entry


async def _entries(
    log: Path, tail: int | None, ended: Callable[[], Awaitable[object]] | None
) -> AsyncIterator[Entry]:
    reader = _LogReader(log)
    try:
        if tail is not None:
            reader.seek_tail(tail)
        if ended is None:
            for entry in reader.read():
                yield entry
            return
        async for entry in _follow(reader, log, ended):
            yield entry
    finally:
        reader.close()


async def _follow(
    reader: "_LogReader", log: Path, ended: Callable[[], Awaitable[object]]
) -> AsyncIterator[Entry]:
    end = asyncio.ensure_future(ended())
    watch = FileWatch(log)
    try:
        while True:
            finished = end.done()
            for entry in reader.read():
                yield entry
            if reader.was_replaced():
                # The monitor wrote on into the old file until it made the new one.
                for entry in reader.read():
                    yield entry
                reader.reopen()
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


class _LogReader:
    """The file, opened once; a log that does not exist yet reads as empty."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = -1
        self._partial = b""
        self.reopen()

    def reopen(self) -> None:
        self.close()
        self._partial = b""
        with suppress(FileNotFoundError):
            self._file = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)

    def read(self) -> Iterator[Entry]:
        """Every whole entry from here to the end of the file."""
        while self._file >= 0 and (chunk := os.read(self._file, _CHUNK_BYTES)):
            *lines, self._partial = (self._partial + chunk).split(b"\n")
            for line in lines:
                if entry := parse_entry(line):
                    yield entry

    def was_replaced(self) -> bool:
        """Whether the path now is another file."""
        try:
            there = os.stat(self._path)
        except FileNotFoundError:
            return False
        return self._file < 0 or there.st_ino != os.fstat(self._file).st_ino

    def seek_tail(self, lines: int) -> None:
        """Go to where the last so many lines begin, reading backwards no more than that."""
        if self._file < 0:
            return
        end = os.fstat(self._file).st_size
        os.lseek(self._file, _tail_offset(self._file, end, lines), os.SEEK_SET)

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _tail_offset(file: int, size: int, wanted: int) -> int:
    """Where the last ``wanted`` lines begin; the pieces (``P``) of a line count as one with it."""
    found, begin, is_last = 0, size, True
    for offset, line in _backwards(file, size):
        # A last line that has no end yet is one too.
        if is_last or _ends_line(line):
            found, is_last = found + 1, False
            if found > wanted:
                return begin
        begin = offset
    return begin


def _backwards(file: int, size: int) -> Iterator[tuple[int, bytes]]:
    """Each whole line and where it begins, the last first."""
    position, rest = size, b""
    while position > 0:
        start = max(position - _CHUNK_BYTES, 0)
        block = os.pread(file, position - start, start) + rest
        end = start + len(block)
        rest, *lines = block.split(b"\n")
        for line in reversed(lines):
            # What follows the last newline of all is not a line yet.
            if end < size:
                yield end - len(line), line
            end -= len(line) + 1
        position = start
    if size:
        yield 0, rest


def _ends_line(line: bytes) -> bool:
    return line.split(b" ", 3)[2:3] == [b"F"]
