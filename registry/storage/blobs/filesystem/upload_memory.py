"""UploadMemory: a limit on the unwritten bytes that all uploads hold in memory."""

from __future__ import annotations

import threading

MAX_BUFFERED_BYTES = 64 * 1024 * 1024
# Each needs 2 MiB of aligned memory; further uploads go through the page cache.
MAX_DIRECT_FILES = 64


class UploadMemory:
    """Shared by every upload of a store; ``buffered`` is changed in the loop only."""

    def __init__(
        self, max_gathered: int = MAX_BUFFERED_BYTES, max_direct: int = MAX_DIRECT_FILES
    ) -> None:
        self._max_gathered = max_gathered
        self._direct = threading.BoundedSemaphore(max_direct)
        self.buffered = 0

    @property
    def is_full(self) -> bool:
        """Whether bytes must be written as they arrive instead of in batches."""
        return self.buffered > self._max_gathered

    def acquire_direct(self) -> bool:
        """Whether one more upload may write with O_DIRECT.  Thread-safe."""
        return self._direct.acquire(blocking=False)

    def release_direct(self) -> None:
        self._direct.release()
