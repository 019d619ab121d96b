"""Reserve: disk space set aside for removals on a full disk."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

# A removal writes some 20 KiB to the log of a database, and as much to the database itself.
RESERVE_BYTES: Final = 512 * 1024


class Reserve:
    """A file of zeros; blocking calls.

    ``give_up`` frees its blocks; ``fill`` allocates them again, if there is space.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.fill()

    def give_up(self) -> None:
        with suppress(OSError):
            os.truncate(self._path, 0)

    def fill(self) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        with suppress(OSError):
            file = os.open(self._path, flags, 0o600)
            try:
                if os.fstat(file).st_size < RESERVE_BYTES:
                    os.posix_fallocate(file, 0, RESERVE_BYTES)
            except OSError:
                # Not enough free space: allocate nothing.
                os.ftruncate(file, 0)
            finally:
                os.close(file)
