"""Guard: the contract of the check before every write."""

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
