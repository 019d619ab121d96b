"""The C library by ctypes: a call that fails raises the OSError of its errno."""

import ctypes
import os
from typing import Any

# ctypes releases the GIL around each call; use_errno keeps errno per thread.
libc = ctypes.CDLL(None, use_errno=True)


def check(result: int, path: str | bytes | os.PathLike[Any] | None = None) -> int:
    """Give the result back, or raise what errno says, about that path."""
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path)
    return result
