"""Snapshotter: the contract of whatever stacks layers into a root filesystem.

The words are containerd's: https://github.com/containerd/containerd/blob/main/core/snapshots/snapshotter.go
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

from oci.digest import Digest
from runner.errors import BadRequest, Conflict, NotFound
from runner.linux.mounts import Mount

_KEY: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}", re.ASCII)
_OWNER_END: Final = "."


class SnapshotUnknown(NotFound):
    """No snapshot has this key."""

    def __init__(self, key: str) -> None:
        super().__init__(f"no snapshot {key}")


class SnapshotExists(Conflict):
    """A snapshot with this key exists."""

    def __init__(self, key: str) -> None:
        super().__init__(f"snapshot {key} exists")


class Snapshotter(Protocol):
    """Filesystem states, each under a key of the caller's: stacks of layers and what changed.

    ``prepare`` opens an *active* snapshot on top of layers, named lowest first by their diff
    IDs.  Its mounts are for the caller to mount, in order, at one place; after a reboot the
    caller asks for them again with ``mounts`` and everything written is still there.
    ``view`` is a snapshot nobody can write to.  ``remove`` deletes one that is not mounted.
    Everything made of these, such as a commit, is a function in ``changes.py``.

    A container's key is its ID.  Another owner's keys begin with its name and a dot, as in
    ``build.1``, so that whoever removes what is left over finds only its own (``owner``).

    Each call happens whole or not at all, also when the daemon is killed in the middle: a
    half-made snapshot is not there, a half-removed one is gone at the next start.

    Every implementation passes tests/runner/storage/snapshots/test_contract.py.
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

    async def remove(self, key: str) -> None:
        """Delete the snapshot; one that is not there is not an error."""
        ...

    async def keys(self) -> tuple[str, ...]:
        """Every snapshot there is."""
        ...


def check_key(key: str) -> str:
    """The key, or BadRequest for one that is a path and no name."""
    if not _KEY.fullmatch(key):
        raise BadRequest(f"invalid snapshot key {key!r}")
    return key


def owner(key: str) -> str:
    """The snapshot's owner: the name before the dot; none for a container's.

    >>> owner("build.1"), owner("4f2a")
    ('build', '')
    """
    name, dot, _ = key.partition(_OWNER_END)
    return name if dot else ""
