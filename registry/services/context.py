"""Context: the state shared by all services, and one repository for one caller."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from oci.digest import Digest
from oci.reference import RepositoryName
from registry.auth.passwords import Passwords
from registry.auth.roles import Role
from registry.config import Sparse
from registry.services.sessions import Sessions
from registry.storage.blobs.claims import Progress
from registry.storage.blobs.contract import BlobStore
from registry.storage.clock import Clock
from registry.storage.database.contract import Connection, Database
from registry.storage.guard import Guard
from registry.storage.metadata import audit
from registry.storage.metadata.audit import Change
from registry.storage.metadata.epochs import EpochWatch
from registry.storage.retention import Retention


@dataclass(frozen=True, slots=True)
class ManifestPolicy:
    """Which manifests may name absent content: none, indexes, or images too."""

    sparse: Sparse = "refuse"


class CommittedSessions:
    """The blobs of the latest committed sessions, so that a commit may be repeated.

    A blob's row has only the session that pushed it last; another client that pushed the same blob
    may repeat its commit too.
    """

    MAX_SESSIONS = 4096

    def __init__(self) -> None:
        self._blobs: dict[str, tuple[RepositoryName, Digest]] = {}

    def add(self, session: str, name: RepositoryName, digest: Digest) -> None:
        self._blobs[session] = (name, digest)
        while len(self._blobs) > self.MAX_SESSIONS:
            del self._blobs[next(iter(self._blobs))]

    def has(self, session: str, name: RepositoryName, digest: Digest) -> bool:
        return self._blobs.get(session) == (name, digest)


@dataclass(slots=True)
class Identities:
    """Whether there is anybody to sign in, and the threads that check passwords."""

    exist: bool = False
    """Set at the start and by the first user or robot.  Without one, credentials mean nothing."""
    everyone: Role | None = None
    """The role that all callers hold on every repository, by ``access.anonymous``."""
    passwords: Passwords = field(default_factory=Passwords)


class Backups:
    """The number of running backups: until they end, no file of the trash is purged.

    Everything else continues meanwhile, undelete too: a large backup takes hours.
    """

    def __init__(self) -> None:
        self._running = 0

    @property
    def are_running(self) -> bool:
        return self._running > 0

    @contextlib.contextmanager
    def run(self) -> Iterator[None]:
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """Limits on open sessions: times in milliseconds, and counts."""

    idle_ms: int
    max_age_ms: int
    max_per_identity: int
    max_per_address: int
    max_total: int

    @property
    def touch_ms(self) -> int:
        """The longest time that a row's last request may be out of date."""
        return self.idle_ms // 8


@dataclass(frozen=True, slots=True)
class RegistryState:
    """The state that the services of all repositories share."""

    database: Database
    store: BlobStore
    policy: ManifestPolicy
    guard: Guard
    retention: Retention
    limits: UploadLimits
    clock: Clock
    sessions: Sessions
    epochs: EpochWatch = field(default_factory=EpochWatch)
    committed: CommittedSessions = field(default_factory=CommittedSessions)
    identities: Identities = field(default_factory=Identities)
    # Held while files of the trash are removed: no undelete and no backup begins meanwhile.
    trash_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    backups: Backups = field(default_factory=Backups)

    def begin_change(self, connection: Connection, identity: str) -> Change:
        """Begin the change that the current transaction makes."""
        return audit.Change.begin(connection, identity, self.clock, self.retention.lease_ms)

    async def received(self, session: str) -> int | None:
        """The bytes of an open session, as recorded or as the store finds them; None if lost."""
        progress = self.sessions.progress(session)
        return await self.store.offset(session) if progress is None else progress.offset

    async def discard(self, session: str) -> None:
        """Delete the bytes of a session whose row is gone, and fence its writer, if it has one."""
        progress = self.sessions.evict(session)
        await self.store.discard(progress or Progress.unknown(session))


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller's network and anonymity, for limits on uploads."""

    address: str = ""
    """The network of the request; empty if unknown."""
    is_anonymous: bool = False
    """Whether the identity is shared by all callers: then no limit applies to it."""


UNKNOWN_CALLER = Caller()


@dataclass(frozen=True, slots=True)
class RepositoryContext:
    """One repository and one caller."""

    name: RepositoryName
    identity: str
    state: RegistryState
    # The caller may push: a positive answer must also renew the lease.
    may_push: bool = False
    caller: Caller = UNKNOWN_CALLER
    # The caller's role; None for the registry's own work, which no role limits.
    role: Role | None = None

    @property
    def database(self) -> Database:
        return self.state.database

    @property
    def store(self) -> BlobStore:
        return self.state.store

    def begin_change(self, connection: Connection) -> Change:
        return self.state.begin_change(connection, self.identity)
