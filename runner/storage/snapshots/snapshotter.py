"""Snapshotter: the contract of whatever stacks layers into a root filesystem.

The words are containerd's: https://github.com/containerd/containerd/blob/main/core/snapshots/snapshotter.go
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from oci.digest import Digest
from runner.errors import Conflict, NotFound
from runner.linux.mounts import Mount


class SnapshotUnknown(NotFound):
    """No snapshot has this key."""

    def __init__(self, key: str) -> None:
        super().__init__(f"no snapshot {key}")


class SnapshotExists(Conflict):
    """A snapshot with this key exists."""

    def __init__(self, key: str) -> None:
        super().__init__(f"snapshot {key} exists")


@dataclass(frozen=True, slots=True)
class Usage:
    """What a snapshot's own changes take: bytes on disk, and files of every kind."""

    bytes: int
    inodes: int


class Lowers(Protocol):
    """Layers at rest, each under its diff ID, in whatever form they are kept.

    An unpacked layer is a directory; a layer kept as one filesystem image is the place where
    that image gets mounted.  The snapshotter sees directories and cannot tell.
    """

    def has(self, diff_id: Digest) -> bool:
        """Whether the layer is here, whole."""
        ...

    async def directory(self, diff_id: Digest) -> Path:
        """A directory that shows the layer, whiteouts in overlayfs form; LayerUnknown without.

        It stays until the layer is removed; asking again is cheap.
        """
        ...


class Snapshotter(Protocol):
    """Filesystem states, each under a key of the caller's: stacks of layers and what changed.

    ``prepare`` opens an *active* snapshot on top of layers, named lowest first by their diff
    IDs.  Its mounts are for the caller to mount, in order, at one place; after a reboot the
    caller asks for them again with ``mounts`` and everything written is still there.
    ``commit`` freezes what changed into a new layer and ends the snapshot.  ``view`` is a
    snapshot nobody can write to.  ``remove`` forgets one, mounted by nobody.

    Each call happens whole or not at all, also when the daemon is killed in the middle: a
    half-made snapshot is not there, a half-removed one is gone at the next start.

    Every implementation passes tests/runner/storage/test_snapshotters.py.
    """

    async def prepare(self, key: str, parents: Sequence[Digest]) -> tuple[Mount, ...]:
        """Open a snapshot to change; SnapshotExists, or LayerUnknown for a parent not here."""
        ...

    async def view(self, key: str, parents: Sequence[Digest]) -> tuple[Mount, ...]:
        """Open a snapshot to read, as ``prepare`` does."""
        ...

    async def mounts(self, key: str) -> tuple[Mount, ...]:
        """The mounts of a snapshot that was prepared before, or SnapshotUnknown."""
        ...

    async def parents(self, key: str) -> tuple[Digest, ...]:
        """The layers beneath the snapshot, lowest first, or SnapshotUnknown."""
        ...

    async def changes(self, key: str) -> Path:
        """The directory of what was written, in overlayfs form, or SnapshotUnknown."""
        ...

    async def commit(self, key: str) -> Digest:
        """Freeze what changed into a layer and end the snapshot; returns the layer's diff ID.

        The caller has unmounted it.  The layer's tar is whatever ``diff`` makes of it.
        """
        ...

    async def usage(self, key: str) -> Usage:
        """What was written on top of the layers, or SnapshotUnknown."""
        ...

    async def remove(self, key: str) -> None:
        """Forget the snapshot; one that is not there is not an error."""
        ...

    async def keys(self) -> tuple[str, ...]:
        """Every snapshot there is."""
        ...
