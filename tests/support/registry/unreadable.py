"""A file on a disk with a bad place: whole up to there, and an error from there on."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest


class BadPlace:
    """Reads of one file that reach ``start`` stop before it; reads from there fail.

    ``code`` is what they fail with, EIO unless told otherwise.  Other files are not touched.
    ``mend`` ends it.
    """

    def __init__(
        self, patch: pytest.MonkeyPatch, path: Path, start: int, code: int = errno.EIO
    ) -> None:
        self._inode = path.stat().st_ino
        self._start = start
        self._code = code
        self._is_mended = False
        self.met = 0
        """How many reads failed."""
        patch.setattr(os, "pread", self._reading(os.pread))
        patch.setattr(os, "preadv", self._reading_into(os.preadv))
        patch.setattr(os, "sendfile", self._sending(os.sendfile))

    def mend(self) -> None:
        self._is_mended = True

    def _readable(self, file: int, offset: int, count: int) -> int:
        """How much of what is asked for can be read; raises OSError if nothing of it can."""
        if self._is_mended or os.fstat(file).st_ino != self._inode or not count:
            return count
        if offset >= self._start:
            self.met += 1
            raise OSError(self._code, os.strerror(self._code))
        return min(count, self._start - offset)

    def _reading(self, real: Callable[..., bytes]) -> Callable[..., bytes]:
        def pread(file: int, count: int, offset: int) -> bytes:
            return real(file, self._readable(file, offset, count), offset)

        return pread

    def _reading_into(self, real: Callable[..., int]) -> Callable[..., int]:
        def preadv(file: int, buffers: Sequence[bytearray], offset: int, flags: int = 0) -> int:
            asked = sum(map(len, buffers))
            readable = self._readable(file, offset, asked)
            return min(readable, real(file, buffers, offset, flags))

        return preadv

    def _sending(self, real: Callable[..., int]) -> Callable[..., int]:
        def sendfile(out: int, file: int, offset: int, count: int) -> int:
            return real(out, file, offset, self._readable(file, offset, count))

        return sendfile
