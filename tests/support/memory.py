"""Directories in memory, for tests that are about anything but the disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

_MEMORY = Path("/dev/shm")  # noqa: S108  (made for this; the directories in it are random)
# In a container it has often only 64 MiB, and a server's reserve is as large.
_ENOUGH_BYTES = 1024**3


@contextmanager
def directory_in_memory(otherwise: Path) -> Iterator[Path]:
    """A directory of the test's own, removed afterwards; ``otherwise`` where there is no room."""
    if not memory_has_room():
        yield otherwise
        return
    with fast_directory() as directory:
        yield Path(directory)


def fast_directory() -> TemporaryDirectory[str]:
    """A new directory in memory, or on the disk where there is no room."""
    return TemporaryDirectory(prefix="slipway-", dir=_MEMORY if memory_has_room() else None)


def memory_has_room() -> bool:
    if not os.access(_MEMORY, os.W_OK):
        return False
    found = os.statvfs(_MEMORY)
    return found.f_bavail * found.f_frsize >= _ENOUGH_BYTES
