"""Guard: the contract of the check before every write, and DiskGuard, that of stores on a disk."""

from __future__ import annotations

from typing import Protocol


class Guard(Protocol):
    """Tells whether writes, and writes that grow the registry, are allowed.

    Beside the Database and the BlobStore, which both ask it.  Every check takes microseconds; what
    may wait for a disk says so.  Every implementation passes
    tests/registry/storage/disk/test_write_guard.py.
    """

    @property
    def read_only_reason(self) -> str | None:
        """The failure after which nothing is written; None without one."""
        ...

    @property
    def problem(self) -> str | None:
        """The reason that writes are refused, in a sentence; None if they are not."""
        ...

    def check_writable(self) -> None:
        """Raise RegistryReadOnly after a failure."""
        ...

    def make_read_only(self, reason: str) -> None:
        """Refuse writes until ``allow_writes``, also after a restart."""
        ...

    def allow_writes(self) -> str | None:
        """Allow writes again; returns the reason they were refused.  Waits for the disk.

        Raises OSError while no file can be created on the disk.
        """
        ...

    def refresh(self) -> None:
        """Measure the free space.  Waits for the disk."""
        ...


class DiskGuard(Guard, Protocol):
    """A Guard of stores on a disk: they ask before they grow, and report the disk's failures.

    The SQLite database and the filesystem's store share one, so that a failure of either stops
    both.  Every implementation passes tests/registry/storage/disk/test_write_guard.py.
    """

    def check_free_space(self) -> None:
        """Raise RegistryReadOnly after a failure, or StorageFull below the minimum."""
        ...

    def on_disk_error(self, call: str, error: OSError) -> None:
        """Refuse writes from now on: the operation ``call`` failed on the disk itself."""
        ...

    def release_reserve(self) -> bool:
        """Remove the reserve file; if true, the failed write may be retried."""
        ...
