"""Logs: what a container wrote, read back from the monitor's file; from the end, or as it grows.

Lines are Kubernetes' container log format, ``<RFC 3339> stdout|stderr F|P <text>``, where P says
that the text goes on in the next line of the same stream.  A rotated file is ``<name>.1``, the
one before it ``<name>.2``.
"""

import os
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

from runner.runtime.runtime import Frame, StdStream, Streams
from runner.storage.threads import in_thread

ROTATIONS: Final = 2

_BLOCK: Final = 1 << 16
_STREAMS: Final = {b"stdout": StdStream.STDOUT, b"stderr": StdStream.STDERR}


@dataclass(frozen=True, slots=True)
class Selection:
    """Which part of a log is asked for; ``tail`` counts lines, from the end."""

    streams: Collection[StdStream] = (StdStream.STDOUT, StdStream.STDERR)
    tail: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    timestamps: bool = False


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of the file: a whole line of the container's, or a part of one."""

    time: str
    stream: StdStream
    content: bytes
    whole: bool

    @classmethod
    def parse(cls, line: bytes) -> "LogLine | None":
        """Read a line of the file, without its newline; None if it is not one."""
        parts = line.split(b" ", 3)
        if len(parts) != 4 or parts[1] not in _STREAMS or parts[2] not in (b"F", b"P"):
            return None
        whole = parts[2] == b"F"
        content = parts[3] + b"\n" if whole else parts[3]
        return cls(parts[0].decode("ascii", "replace"), _STREAMS[parts[1]], content, whole)

    def moment(self) -> datetime:
        """When it was written; the epoch if that cannot be read."""
        try:
            return datetime.fromisoformat(self.time)
        except ValueError:
            return datetime.fromtimestamp(0, UTC)


def log_files(log: Path) -> tuple[Path, ...]:
    """The files of a log, the oldest first."""
    return (*(log.with_name(f"{log.name}.{n}") for n in range(ROTATIONS, 0, -1)), log)


async def read_log(
    log: Path, selection: Selection, news: Streams | None = None
) -> AsyncIterator[Frame]:
    """The frames of a log.  With ``news``, a container's own streams, go on until they end.

    The streams only say that there is news: what they carry is read from the file, where
    everything is, once, and with its time.
    """
    teller = _Teller(selection)
    with ExitStack() as opened:
        files = await in_thread(_open, log_files(log), opened)
        for file in await in_thread(_skip_to_tail, files, selection):
            while frames := await in_thread(teller.frames, file):
                for frame in frames:
                    yield frame
        if news is None:
            return
        current = _Current(log, files[-1] if files else None, opened)
        async for _ in _wakes(news):
            for file in await in_thread(current.files):
                while frames := await in_thread(teller.frames, file):
                    for frame in frames:
                        yield frame


async def _wakes(news: Streams) -> AsyncIterator[None]:
    """Once for each piece of news, and once more after the last."""
    try:
        async for _ in news.frames():
            yield
        yield
    finally:
        await news.aclose()


class _Teller:
    """Turns the lines of log files into the frames that were asked for."""

    def __init__(self, selection: Selection) -> None:
        self._selection = selection
        self._broken: set[StdStream] = set()
        self._rest: dict[int, bytes] = {}

    def frames(self, file: BinaryIO) -> list[Frame]:
        """The next frames of a file; none at its end, for now.  Blocking."""
        frames: list[Frame] = []
        while not frames:
            block = file.read(_BLOCK)
            if not block:
                break
            *lines, rest = (self._rest.pop(file.fileno(), b"") + block).split(b"\n")
            self._rest[file.fileno()] = rest
            frames = [frame for line in lines if (frame := self._frame(line)) is not None]
        return frames

    def _frame(self, text: bytes) -> Frame | None:
        line, chosen = LogLine.parse(text), self._selection
        if line is None or line.stream not in chosen.streams:
            return None
        if chosen.since is not None and line.moment() < chosen.since:
            return None
        if chosen.until is not None and line.moment() > chosen.until:
            return None
        content = line.content
        if chosen.timestamps and line.stream not in self._broken:
            content = f"{_utc(line.time)} ".encode() + content
        if line.whole:
            self._broken.discard(line.stream)
        else:
            self._broken.add(line.stream)
        return Frame(line.stream, content)


class _Current:
    """The file that is being written, also after a rotation."""

    def __init__(self, log: Path, file: BinaryIO | None, opened: ExitStack) -> None:
        self._log = log
        self._file = file
        self._opened = opened

    def files(self) -> list[BinaryIO]:
        """What to read now: what is open; and, after a rotation, the new file too."""
        files = [] if self._file is None else [self._file]
        try:
            found = os.stat(self._log)
        except FileNotFoundError:
            return files
        if self._file is None or os.fstat(self._file.fileno()).st_ino != found.st_ino:
            self._file = self._opened.enter_context(self._log.open("rb"))
            files.append(self._file)
        return files


def _open(paths: tuple[Path, ...], opened: ExitStack) -> list[BinaryIO]:
    files: list[BinaryIO] = []
    for path in paths:
        try:
            files.append(opened.enter_context(path.open("rb")))
        except FileNotFoundError:
            continue
    return files


def _skip_to_tail(files: list[BinaryIO], selection: Selection) -> list[BinaryIO]:
    """Move each file to where the last lines begin; those before it to their ends."""
    if selection.tail is None:
        return files
    wanted = selection.tail
    for file in reversed(files):
        wanted = _seek_back(file, wanted, selection.streams)
    return files


def _seek_back(file: BinaryIO, wanted: int, streams: Collection[StdStream]) -> int:
    """Stand before the last ``wanted`` whole lines; how many are still missing."""
    position = file.seek(0, os.SEEK_END)
    if wanted == 0:
        return 0
    starts = position
    for offset, line in _lines_backwards(file, position):
        parsed = LogLine.parse(line)
        if parsed is None or parsed.stream not in streams:
            continue
        if parsed.whole:
            if wanted == 0:
                break
            wanted -= 1
        starts = offset
    file.seek(starts)
    return wanted


def _lines_backwards(file: BinaryIO, end: int) -> Iterator[tuple[int, bytes]]:
    """Each line with its offset, the last one first."""
    rest = b""
    while end > 0:
        start = max(0, end - _BLOCK)
        file.seek(start)
        block = file.read(end - start) + rest
        first, *lines = block.split(b"\n")
        offset = start + len(block)
        for line in reversed(lines):
            offset -= len(line)
            if line:
                yield offset, line
            offset -= 1
        rest, end = first, start
    if rest:
        yield 0, rest


def _utc(text: str) -> str:
    """The time as docker writes it: nine digits and a Z."""
    if text.endswith("+00:00"):
        return f"{text.removesuffix('+00:00')}Z"
    try:
        moment = datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return text
    digits = text.partition(".")[2][:9]
    fraction = digits if digits.isdigit() else f"{moment.microsecond:06}000"
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{fraction}Z"
