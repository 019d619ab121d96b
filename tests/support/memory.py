"""Directories in memory, for tests that are about anything but the disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

_MEMORY = Path("/dev/shm")  # noqa: S108  (made for this; the directory in it is random)


@contextmanager
def directory_in_memory(otherwise: Path) -> Iterator[Path]:
    """A directory of the test's own, removed afterwards; ``otherwise`` where there is no such."""
    if not os.access(_MEMORY, os.W_OK):
        yield otherwise
        return
    with TemporaryDirectory(prefix="slipway-", dir=_MEMORY) as directory:
        yield Path(directory)
