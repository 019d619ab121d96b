"""Writeback: ask the kernel to begin writing what an fsync would otherwise have to wait for."""

from __future__ import annotations

import ctypes

_SYNC_FILE_RANGE_WRITE = 2

_libc = ctypes.CDLL(None, use_errno=True)


def start(fd: int, offset: int, length: int) -> None:
    """Begin to write a range to the disk, and do not wait for it.

    A hint: where the kernel or the C library has no such call, or it fails, the fsync that
    follows does all the work, and tells of any error.
    """
    call = getattr(_libc, "sync_file_range", None)
    if call is not None:
        arguments = ctypes.c_int64(offset), ctypes.c_int64(length)
        call(fd, *arguments, ctypes.c_uint(_SYNC_FILE_RANGE_WRITE))
