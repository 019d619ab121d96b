"""Scrub: read and verify every stored byte at a limited rate, longest unverified first.

Corrupt content is marked, reported with the tags it affects, and not served until it is pushed
again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial

from registry.integrity.checks import Integrity, check_blob, check_manifest
from registry.integrity.findings import Finding
from registry.integrity.repair import Repair
from registry.storage.blobs.contract import BlobStore
from registry.storage.clock import Clock
from registry.storage.database.contract import Connection, Database
from registry.storage.metadata import blobs
from registry.storage.metadata.integrity import checks
from registry.storage.metadata.integrity.checks import BlobRow
from registry.storage.own_thread import in_own_thread

BLOBS_PER_BATCH = 100
# A stopped scrub ends within this time.
POLL_SECONDS = 0.25


class ScrubStopped(Exception):
    """Raised in the middle of a blob when the scrub is stopped."""


class Throttle:
    """Limits reads to a rate.  Used in the reading thread; stopped from another."""

    def __init__(self, bytes_per_second: float, deadline: float = float("inf")) -> None:
        self._rate = bytes_per_second
        self._deadline = deadline
        self._free_at = time.monotonic()
        self._stopped = threading.Event()

    @property
    def is_stopped(self) -> bool:
        return self._stopped.is_set() or time.monotonic() >= self._deadline

    def stop(self) -> None:
        self._stopped.set()

    def acquire(self, count: int) -> None:
        """Wait until ``count`` more bytes may be read.  Raises ScrubStopped."""
        self._free_at = max(self._free_at, time.monotonic()) + count / self._rate
        while (left := self._free_at - time.monotonic()) > 0 or self.is_stopped:
            if self.is_stopped:
                raise ScrubStopped
            self._stopped.wait(min(left, POLL_SECONDS))


@dataclass(slots=True)
class ScrubProgress:
    """Counts of a scrub so far."""

    blobs: int = 0
    bytes: int = 0
    manifests: int = 0
    corrupt: int = 0
    is_complete: bool = True


@dataclass(frozen=True, slots=True)
class Scrub:
    """One scrub of content last verified before ``due``, in milliseconds of wall time."""

    database: Database
    store: BlobStore
    throttle: Throttle
    due: int
    clock: Clock
    done: ScrubProgress = field(default_factory=ScrubProgress)

    async def run(self) -> AsyncIterator[Finding]:
        """Every finding of corrupt content, already marked."""
        try:
            async for finding in self.blobs():
                yield finding
            async for finding in self.manifests():
                yield finding
        except ScrubStopped:
            self.done.is_complete = False
        finally:
            self.throttle.stop()

    async def blobs(self) -> AsyncIterator[Finding]:
        while page := await self.database.operator.read(self._least_verified):
            whole: list[str] = []
            try:
                for row in page:
                    finding = await self._blob(row)
                    if finding is None:
                        whole.append(row.physical)
                    elif finding.repaired:
                        yield finding
            finally:
                await self._verified(whole)

    async def manifests(self) -> AsyncIterator[Finding]:
        last = (0, "")
        while page := await self.database.operator.read(partial(checks.manifests_after, last=last)):
            last = (page[-1].repository_id, page[-1].digest)
            for row in page:
                await in_own_thread(self.throttle.acquire, row.size)
                self.done.manifests += 1
                problem = await in_own_thread(check_manifest, row, deep=True)
                if problem is not None and not row.is_marked_corrupt:
                    yield await self._mark(await self._checks.manifest_finding(row, problem))

    def _least_verified(self, connection: Connection) -> list[BlobRow]:
        return checks.least_verified(connection, self.due, self._now, BLOBS_PER_BATCH)

    @property
    def _now(self) -> int:
        """The wall time, at least ``due``: a clock set back must not make all content due again."""
        return max(self.clock.wall_ms(), self.due)

    @property
    def _checks(self) -> Integrity:
        return Integrity(self.database.operator, self.store)

    async def _blob(self, row: BlobRow) -> Finding | None:
        """Verify one blob; None if it is good.  A blob that changed meanwhile is not marked."""
        problem = await check_blob(self.store, row, deep=True, pace=self.throttle.acquire)
        self.done.blobs += 1
        self.done.bytes += row.size
        if problem is None:
            return None
        finding = await self._checks.blob_finding(row, problem)
        if not await self.database.operator.read(partial(checks.is_unchanged, row=row)):
            return finding
        return await self._mark(finding)

    async def _mark(self, finding: Finding) -> Finding:
        self.done.corrupt += 1
        repairer = Repair(self.database, self.store, self.clock, "scrub")
        return await repairer.repair(finding)

    async def _verified(self, physicals: list[str]) -> None:
        if physicals:
            verified = partial(blobs.mark_verified, physicals=physicals, at=self._now)
            await self.database.write(verified, on=None, purpose="scrub")
