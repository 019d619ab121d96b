"""The C library by ctypes; a failed call raises the OSError of its errno."""

import ctypes
import os
from typing import Any

# ctypes releases the GIL around each call; use_errno keeps errno per thread.
libc = ctypes.CDLL(None, use_errno=True)


def check(result: int, path: str | bytes | os.PathLike[Any] | None = None) -> int:
    """Return the result, or raise the OSError of errno for ``path``."""
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path)
    return result
