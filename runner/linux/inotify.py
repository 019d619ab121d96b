"""FileWatch: wait with inotify until a file grows, moves or is deleted.

https://man7.org/linux/man-pages/man7/inotify.7.html
"""

import asyncio
import ctypes
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from runner.linux.syscalls import check, libc

_IN_MODIFY: Final = 0x2
_IN_MOVE_SELF: Final = 0x800
_IN_DELETE_SELF: Final = 0x400
_IN_CREATE: Final = 0x100
_IN_MOVED_TO: Final = 0x80
_EVENTS_BYTES: Final = 64 * 1024


class FileWatch:
    """Watches a file, and its directory for a new file of the same name."""

    def __init__(self, path: Path) -> None:
        self._loop = asyncio.get_running_loop()
        self._file = check(libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        self._news = asyncio.Event()
        self._add(path.parent, _IN_CREATE | _IN_MOVED_TO)
        with suppress(FileNotFoundError):
            self._add(path, _IN_MODIFY | _IN_MOVE_SELF | _IN_DELETE_SELF)
        self._loop.add_reader(self._file, self._take)

    async def wait(self) -> None:
        """Return when an event has occurred since the last wait, or since creation."""
        await self._news.wait()
        self._news.clear()

    def close(self) -> None:
        if self._file >= 0:
            self._loop.remove_reader(self._file)
            os.close(self._file)
            self._file = -1

    def _add(self, path: Path, mask: int) -> None:
        name = ctypes.c_char_p(os.fsencode(path))
        check(libc.inotify_add_watch(self._file, name, ctypes.c_uint32(mask)), path)

    def _take(self) -> None:
        with suppress(BlockingIOError):
            os.read(self._file, _EVENTS_BYTES)
        self._news.set()
