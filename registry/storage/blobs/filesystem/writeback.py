"""Writeback: start writing dirty pages early, so that the later fsync has less to wait for."""

from __future__ import annotations

import ctypes

_SYNC_FILE_RANGE_WRITE = 2

_libc = ctypes.CDLL(None, use_errno=True)


def start(fd: int, offset: int, length: int) -> None:
    """Start writing a range to the disk, without waiting.

    Only a hint: if sync_file_range is missing or fails, the fsync that follows does the work and
    reports errors.
    """
    call = getattr(_libc, "sync_file_range", None)
    if call is not None:
        arguments = ctypes.c_int64(offset), ctypes.c_int64(length)
        call(fd, *arguments, ctypes.c_uint(_SYNC_FILE_RANGE_WRITE))
