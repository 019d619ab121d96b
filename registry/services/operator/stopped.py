"""StoppedRegistry: a registry that no server has, to be read and not changed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from registry.storage.blobs.contract import StoredFiles
from registry.storage.clock import Clock
from registry.storage.database.contract import OperatorRows


@dataclass(frozen=True, slots=True)
class StoppedRegistry:
    """The rows and files under one root, and the root's path."""

    path: Path
    rows: OperatorRows
    files: StoredFiles
    clock: Clock
