"""Openat2: open a file below a directory in one system call, following no symbolic link.

https://man7.org/linux/man-pages/man2/openat2.2.html
"""

from __future__ import annotations

import ctypes
import os
from functools import lru_cache
from typing import Final

_SYS_OPENAT2: Final = 437  # the same number on every architecture (5.6 and later)
_RESOLVE_NO_SYMLINKS: Final = 0x04
_RESOLVE_BENEATH: Final = 0x08
_RESOLVE_CACHED: Final = 0x20  # 5.12 and later


class _OpenHow(ctypes.Structure):
    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


_HOW_BYTES: Final = ctypes.sizeof(_OpenHow)
_syscall = ctypes.CDLL(None).syscall
_syscall.restype = ctypes.c_long
_syscall.argtypes = (
    ctypes.c_long,
    ctypes.c_int,
    ctypes.c_char_p,
    ctypes.POINTER(_OpenHow),
    ctypes.c_size_t,
)


def open_below(directory: int, path: str, flags: int, *, only_cached: bool = False) -> int | None:
    """The descriptor of an existing file below ``directory``; None if it cannot be opened so.

    With ``only_cached`` the disk is not asked, so the call does not block: None if the kernel does
    not know each part of the path already.  It may also be too old, or a sandbox may forbid the
    call: None says nothing of the file.
    """
    resolve = _RESOLVE_NO_SYMLINKS | _RESOLVE_BENEATH | (_RESOLVE_CACHED if only_cached else 0)
    how = _how(flags, resolve)
    opened = int(_syscall(_SYS_OPENAT2, directory, os.fsencode(path), how, _HOW_BYTES))
    return None if opened < 0 else opened


@lru_cache(maxsize=16)
def _how(flags: int, resolve: int) -> ctypes._Pointer[_OpenHow]:
    return ctypes.pointer(_OpenHow(flags, 0, resolve))
