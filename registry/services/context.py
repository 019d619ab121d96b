"""Context: one repository as one identity sees it, and what the services work with."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Literal
from weakref import WeakValueDictionary

from oci.reference import RepositoryName
from registry.storage.blobs.store import BlobStore
from registry.storage.metadata.database import Database

Sparse = Literal["refuse", "index", "any"]


@dataclass(frozen=True, slots=True)
class ManifestPolicy:
    """Which manifests may name what is not there: none, indexes, or images too."""

    sparse: Sparse = "refuse"


class SessionLocks:
    """One request at a time for each upload session.

    The process has the root to itself, so a lock in the process is enough, and dies with it.
    """

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def of(self, session: str) -> asyncio.Lock:
        lock = self._locks.get(session)
        if lock is None:
            lock = self._locks[session] = asyncio.Lock()
        return lock


@dataclass(frozen=True, slots=True)
class Shared:
    """What every repository's services share."""

    database: Database
    store: BlobStore
    policy: ManifestPolicy
    locks: SessionLocks = field(default_factory=SessionLocks)


@dataclass(frozen=True, slots=True)
class Context:
    """One repository, and who is asking."""

    name: RepositoryName
    identity: str
    shared: Shared

    @property
    def database(self) -> Database:
        return self.shared.database

    @property
    def store(self) -> BlobStore:
        return self.shared.store
