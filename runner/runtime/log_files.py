"""LogFiles: a container's current log file and its rotated ones.

    container.log       the current file
    container.log.1     the newest rotated file
    container.log.2     … and so on, up to one less than the files to keep

https://docs.docker.com/engine/logging/drivers/json-file/
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

_CHUNK_BYTES: Final = 64 * 1024
# O_NOFOLLOW: never read through a symlink.
_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


def rotate(log: Path, keep: int) -> None:
    """Rename the log to the newest rotated file; keep ``keep`` of those.

    Until the monitor reopens its log, it still writes to the renamed file.
    """
    numbers = [number for number in rotated_numbers(log) if number >= keep]
    for number in numbers:
        rotated(log, number).unlink(missing_ok=True)
    for number in range(keep - 1, 0, -1):
        with suppress(FileNotFoundError):
            os.rename(rotated(log, number), rotated(log, number + 1))
    with suppress(FileNotFoundError):
        os.rename(log, rotated(log, 1))


def rotated(log: Path, number: int) -> Path:
    """The path of a rotated file; number 1 is the newest."""
    return log.with_name(f"{log.name}.{number}")


def rotated_numbers(log: Path) -> Sequence[int]:
    """The numbers of the existing rotated files, the newest (1) first."""
    begin = f"{log.name}."
    try:
        names = os.listdir(log.parent)
    except FileNotFoundError:
        return []
    suffixes = (name.removeprefix(begin) for name in names if name.startswith(begin))
    return sorted(int(suffix) for suffix in suffixes if suffix.isascii() and suffix.isdigit())


class LogFiles:
    """The files of a log, each opened once and read from the oldest to the newest.

    A file rotated or removed after opening is still read to its end.  A missing log reads as
    empty.
    """

    def __init__(self, log: Path) -> None:
        self._log = log
        # Opened files by inode, which is not reused while the file is open.
        self._opened: dict[int, int] = {}
        self._ahead: list[int] = []
        self._partial = b""
        self.open_new()

    def open_new(self) -> None:
        """Open the files created since the last call."""
        found = []
        # Newest first: a file rotated meanwhile is found again under its next name.
        for path in (self._log, *(rotated(self._log, n) for n in rotated_numbers(self._log))):
            with suppress(FileNotFoundError):
                file = os.open(path, _FLAGS)
                inode = os.fstat(file).st_ino
                if inode in self._opened:
                    os.close(file)
                else:
                    self._opened[inode] = file
                    found.append(file)
        self._ahead += reversed(found)

    def lines(self) -> Iterator[bytes]:
        """Every complete line from the current position, without its newline."""
        while self._ahead:
            while chunk := os.read(self._ahead[0], _CHUNK_BYTES):
                *lines, self._partial = (self._partial + chunk).split(b"\n")
                yield from lines
            if len(self._ahead) == 1:
                return
            # A file is complete once a newer one exists.
            self._ahead.pop(0)
            self._partial = b""
            self._close_removed()

    def was_rotated(self) -> bool:
        """Whether the log's path is no longer the newest opened file."""
        try:
            there = os.stat(self._log)
        except FileNotFoundError:
            return False
        return there.st_ino not in self._opened

    def seek_tail(self, lines: int) -> None:
        """Seek to the start of the last ``lines`` lines, reading backwards only that far."""
        wanted = lines
        for index in range(len(self._ahead) - 1, -1, -1):
            file, newest = self._ahead[index], index == len(self._ahead) - 1
            size = os.fstat(file).st_size
            offset, found = _find_tail(file, size, wanted, is_last=newest)
            os.lseek(file, offset, os.SEEK_SET)
            if found > wanted:
                del self._ahead[:index]
                return
            wanted -= found

    def close(self) -> None:
        for file in self._opened.values():
            os.close(file)
        self._opened.clear()
        self._ahead.clear()

    def _close_removed(self) -> None:
        """Close files that are read and deleted."""
        for inode, file in tuple(self._opened.items()):
            if file not in self._ahead and os.fstat(file).st_nlink == 0:
                os.close(file)
                del self._opened[inode]


def _find_tail(file: int, size: int, wanted: int, *, is_last: bool) -> tuple[int, int]:
    """The offset where the last ``wanted`` lines begin, and their count, up to one more.

    The pieces (``P``) of a line count as one line; so does an unfinished line at the end of
    the last file.
    """
    found, begin = 0, size
    for offset, line in _lines_backwards(file, size):
        if is_last or _ends_line(line):
            found, is_last = found + 1, False
            if found > wanted:
                return begin, found
        begin = offset
    return begin, found


def _lines_backwards(file: int, size: int) -> Iterator[tuple[int, bytes]]:
    """Each complete line with its offset, last first."""
    position, rest = size, b""
    while position > 0:
        start = max(position - _CHUNK_BYTES, 0)
        block = os.pread(file, position - start, start) + rest
        end = start + len(block)
        rest, *lines = block.split(b"\n")
        for line in reversed(lines):
            # The text after the last newline is not a complete line.
            if end < size:
                yield end - len(line), line
            end -= len(line) + 1
        position = start
    if size:
        yield 0, rest


def _ends_line(line: bytes) -> bool:
    return line.split(b" ", 3)[2:3] == [b"F"]
