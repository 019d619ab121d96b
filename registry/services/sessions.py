"""Sessions: what this process knows of upload sessions: locks, last requests, and newest claims.

One process has the root to itself, so that locks and claims need no row: after a restart nothing is
claimed, and the store looks how far each session has come.  Servers that share a database keep the
same in the session's row.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from weakref import WeakValueDictionary

from registry.errors import BlobUploadUnknown, ClaimLost
from registry.storage.blobs.claims import Claim, Progress
from registry.storage.clock import Clock

RANDOM_BYTES = 4


@dataclass(slots=True)
class _Session:
    """The time of the last request, the newest claim's token, and the progress since recorded."""

    used: int
    token: str = ""
    progress: Progress | None = None


class Sessions:
    """A lock per upload session, the time of its last request, its newest claim and progress."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._started = self._clock.monotonic_ms()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._known: dict[str, _Session] = {}
        self._claims = itertools.count(1)

    def lock(self, session: str) -> asyncio.Lock:
        lock = self._locks.get(session)
        if lock is None:
            lock = self._locks[session] = asyncio.Lock()
        return lock

    def is_held(self, session: str) -> bool:
        lock = self._locks.get(session)
        return lock is not None and lock.locked()

    async def claim(self, session: str, algorithm: str) -> Claim:
        """Claim an open session, which ends the claim before.

        The progress goes into the claim: until it is recorded again, only the store can tell.
        """
        known = self._touched(session)
        progress, known.progress = known.progress, None
        known.token = f"{next(self._claims):x}.{secrets.token_hex(RANDOM_BYTES)}"
        return Claim(session, algorithm, known.token, progress)

    async def record(self, progress: Progress) -> None:
        """Keep a progress.

        Raises ClaimLost if there is a newer claim, BlobUploadUnknown if the session has ended.
        """
        known = self._known.get(progress.session)
        if known is None:
            raise BlobUploadUnknown(progress.session)
        if known.token != progress.token:
            raise ClaimLost(progress.session)
        known.progress = progress

    def progress(self, session: str) -> Progress | None:
        """The recorded progress; None while a request writes, and if there was none here."""
        known = self._known.get(session)
        return None if known is None else known.progress

    def touch(self, session: str) -> None:
        """Record a request to the session."""
        self._touched(session)

    def _touched(self, session: str) -> _Session:
        known = self._known.setdefault(session, _Session(0))
        known.used = self._clock.monotonic_ms()
        return known

    def is_known(self, session: str) -> bool:
        """Whether this process has had a request for the session."""
        return session in self._known

    def evict(self, session: str) -> Progress | None:
        """Evict a session that has ended, and its claim; returns the recorded progress."""
        known = self._known.pop(session, None)
        return None if known is None else known.progress

    def idle_ms(self, session: str) -> int:
        """Time since the session's last request, or since the start of this process."""
        known = self._known.get(session)
        return self._clock.monotonic_ms() - (self._started if known is None else known.used)

    def evict_idle(self, milliseconds: int, *, but: Collection[str]) -> None:
        """Evict sessions that were idle for so long, except those in ``but``."""
        idle = [name for name in self._known if self.idle_ms(name) >= milliseconds]
        for name in idle:
            if name not in but:
                del self._known[name]
