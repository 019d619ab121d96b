"""LogFiles: a container's log as files, the one that is written and those rotated before it.

    container.log       what the monitor writes
    container.log.1     what it wrote before, the newest
    container.log.2     … and so on, up to one less than the files to keep

https://docs.docker.com/engine/logging/drivers/json-file/
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

_CHUNK_BYTES: Final = 64 * 1024
# What is looked for: docker sets no bound on max-file, a directory listing does.
_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


def rotate(log: Path, keep: int) -> None:
    """Put the log aside as the newest rotated file; of those, ``keep`` stay.

    Until the monitor has opened its log anew, it writes on into the file put aside.
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
    """The path of a rotated file; 1 is the newest."""
    return log.with_name(f"{log.name}.{number}")


def rotated_numbers(log: Path) -> Sequence[int]:
    """The numbers of the rotated files there are, the newest (1) first."""
    begin = f"{log.name}."
    try:
        names = os.listdir(log.parent)
    except FileNotFoundError:
        return []
    suffixes = (name.removeprefix(begin) for name in names if name.startswith(begin))
    return sorted(int(suffix) for suffix in suffixes if suffix.isascii() and suffix.isdigit())


class LogFiles:
    """The files of a log, each opened once and read from the oldest to the newest.

    A file that was rotated, or removed, after it was opened is read to its end all the same.  A
    log that does not exist yet reads as empty.
    """

    def __init__(self, log: Path) -> None:
        self._log = log
        # Every file that was opened, by its inode, which is nobody else's while it is open.
        self._opened: dict[int, int] = {}
        self._ahead: list[int] = []
        self._partial = b""
        self.open_new()

    def open_new(self) -> None:
        """Open the files that have come to be since the last look."""
        found = []
        # The newest first: one that is rotated meanwhile is found again under its next name.
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
        """Every whole line from here to the end of what is written, without its newline."""
        while self._ahead:
            while chunk := os.read(self._ahead[0], _CHUNK_BYTES):
                *lines, self._partial = (self._partial + chunk).split(b"\n")
                yield from lines
            if len(self._ahead) == 1:
                return
            # Nobody writes to a file that has a newer one beside it.
            self._ahead.pop(0)
            self._partial = b""
            self._close_removed()

    def was_rotated(self) -> bool:
        """Whether the path is another file than the newest one opened."""
        try:
            there = os.stat(self._log)
        except FileNotFoundError:
            return False
        return there.st_ino not in self._opened

    def seek_tail(self, lines: int) -> None:
        """Go to where the last so many lines begin, reading backwards no more than that."""
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
        """Close what was read and has no name any more: it will not be found again."""
        for inode, file in tuple(self._opened.items()):
            if file not in self._ahead and os.fstat(file).st_nlink == 0:
                os.close(file)
                del self._opened[inode]


def _find_tail(file: int, size: int, wanted: int, *, is_last: bool) -> tuple[int, int]:
    """Where the last ``wanted`` lines begin, and how many there are, up to one more.

    The pieces (``P``) of a line count as one with its end; so does, in the last file, what has
    no end yet.
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
