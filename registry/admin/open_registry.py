"""OpenRegistry: what an administrative command works with."""

from __future__ import annotations

from dataclasses import dataclass

from registry.config import Settings
from registry.gc.collector import GarbageCollector
from registry.services.context import RegistryState
from registry.services.repositories import Registry
from registry.storage.blobs.filesystem.store import FilesystemBlobStore
from registry.storage.database.sqlite import SQLiteDatabase
from registry.storage.disk.root import Root


@dataclass(frozen=True, slots=True)
class OpenRegistry:
    """Everything under one root, opened by the process that holds it."""

    settings: Settings
    root: Root
    database: SQLiteDatabase
    store: FilesystemBlobStore
    registry: Registry
    state: RegistryState
    collector: GarbageCollector
