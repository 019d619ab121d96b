"""Direct writes: the whole blocks of a large upload go to the disk past the page cache.

Filling the page cache was measured at 0.4 to 4.1 s of the kernel's time a GiB, depending on
where it finds the pages, and writing it back at 0.8 s more; a direct write at 0.15 s, and the
fsync after it at none.  Nor does an upload push out of memory what others are pulling.
"""

from __future__ import annotations

import errno
import mmap
import os
from collections.abc import Sequence
from typing import Self

from registry.storage.blobs.filesystem.file_ops import FileOps

# A direct write begins and ends at a block, in the file as in memory.
BLOCK_BYTES = 4096

_DIRECT = os.O_WRONLY | os.O_CLOEXEC | getattr(os, "O_DIRECT", 0)


class DirectFile:
    """A second descriptor of an open file, and the aligned memory its blocks are sent from."""

    def __init__(self, fd: int, size: int) -> None:
        self._fd = fd
        self._memory = mmap.mmap(-1, size)

    @classmethod
    def open(cls, fd: int, size: int) -> Self | None:
        """Open the file again for writes of up to ``size`` bytes; None where that cannot be."""
        try:
            return cls(os.open(f"/proc/self/fd/{fd}", _DIRECT), size)
        except OSError:
            return None

    def write(
        self, file_ops: FileOps, chunks: Sequence[bytes | memoryview], offset: int
    ) -> int | None:
        """Write chunks of whole blocks together; None, with nothing written, if refused here."""
        length = 0
        for chunk in chunks:
            self._memory[length : length + len(chunk)] = chunk
            length += len(chunk)
        with memoryview(self._memory) as memory, memory[:length] as blocks:
            try:
                return file_ops.write(self._fd, [blocks], offset)
            except OSError as error:
                # A file system may open a file so, and refuse the write; or want larger blocks.
                if error.errno == errno.EINVAL:
                    return None
                raise

    def close(self) -> None:
        # The memory goes with its last user: the traceback of a failed write may still hold it.
        os.close(self._fd)
