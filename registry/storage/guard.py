"""Guard: the contract of what stands between a write and the place where it goes."""

from __future__ import annotations

from typing import Protocol


class Guard(Protocol):
    """Whether anything may be written now, and whether it may grow.

    Beside the Database and the BlobStore, which both ask it.  Every check takes microseconds; what
    may wait for a disk says so.
    """

    @property
    def read_only_reason(self) -> str | None:
        """What failed, after which nothing is written; None while everything is."""
        ...

    @property
    def problem(self) -> str | None:
        """Why this registry is not ready for everything, in a sentence; None if it is."""
        ...

    def check_writable(self) -> None:
        """Raise RegistryReadOnly where something has failed."""
        ...

    def make_read_only(self, reason: str) -> None:
        """From now on nothing is written, until ``allow_writes``; also after a restart."""
        ...

    def allow_writes(self) -> str | None:
        """Allow writing again; the reason there was.  Waits for the disk.

        Raises OSError while the disk still takes no file.
        """
        ...

    def refresh(self) -> None:
        """Look how much space is left.  Waits for the disk."""
        ...
