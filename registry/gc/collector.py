"""Collector: collects garbage while clients push and pull.

One pass: begin an epoch if due, expire uploads, collect untagged manifests, delete unused
memberships, purge the trash, sweep orphans.  A step may be interrupted anywhere; the next pass
continues.  Rows decide, and no manifest is parsed: one that has lost its blobs or manifests stops
nothing (rule GC-9).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import NamedTuple

from registry.gc import deleted_repositories
from registry.gc.epochs import count_epoch
from registry.gc.expired_uploads import expire_uploads
from registry.gc.orphans import sweep
from registry.gc.purge import purge
from registry.gc.report import GcReport
from registry.gc.throttle import LockThrottle
from registry.services.context import RegistryState
from registry.services.cutoffs import lease_cutoff, untagged_cutoff
from registry.storage.database.contract import Connection
from registry.storage.metadata import audit, manifests, repositories
from registry.storage.metadata.audit import GARBAGE_COLLECTOR, Change
from registry.storage.metadata.gc import candidates
from registry.storage.metadata.gc.candidates import START, CandidatePage
from registry.storage.metadata.keys import BYTES_PER_BATCH, Key, stored_digest
from registry.storage.metadata.trash.put import Freed
from registry.storage.retention import Cutoff

# Candidates in memory at a time, of about 200 bytes each.
MAX_CANDIDATES = 10_000
Find = Callable[[Cutoff, Key, Connection], CandidatePage]


class GarbageCollector:
    """Collects unreferenced content.  One pass at a time."""

    def __init__(self, state: RegistryState, *, share: float) -> None:
        """``share``: the largest share of wall time that it may hold the write lock."""
        self._state = state
        self._throttle = LockThrottle(state.database, "gc", share)
        self._lock = asyncio.Lock()
        self.last: GcReport | None = None

    async def collect(self, *, sweeps: bool = True, all_orphans: bool = False) -> GcReport:
        """Run one pass.  With ``all_orphans``, orphans are swept even if they are too many."""
        async with self._lock:
            report, throttle = GcReport(), self._throttle
            await count_epoch(self._state)
            await expire_uploads(self._state, throttle, report)
            await self._collect_manifests(throttle, report)
            await self._end_memberships(throttle, report)
            await deleted_repositories.delete_expired_rows(self._state, throttle, report)
            await purge(self._state, throttle, report)
            if sweeps:
                await sweep(self._state, report, all_orphans=all_orphans)
            self.last = report
            return report

    async def _collect_manifests(self, throttle: LockThrottle, report: GcReport) -> None:
        if self._state.retention.untagged_ms == 0:
            return
        cutoff = await untagged_cutoff(self._state)

        def unit(keys: Sequence[Key], connection: Connection) -> CollectionResult:
            change = self._state.begin_change(connection, GARBAGE_COLLECTOR)
            return collect_manifests(connection, change, cutoff, keys)

        async for found in find_candidates(self._state, candidates.untagged_manifests, cutoff):
            keys = found
            while keys:
                dropped = await throttle.run_batches(keys, unit)
                report.manifests += sum(each.collected for each in dropped)
                keys = [key for each in dropped for key in each.rest]

    async def _end_memberships(self, throttle: LockThrottle, report: GcReport) -> None:
        cutoff = await lease_cutoff(self._state)

        def unit(keys: Sequence[Key], connection: Connection) -> Freed:
            change = self._state.begin_change(connection, GARBAGE_COLLECTOR)
            return candidates.delete_members(connection, change, cutoff, keys)

        async for found in sorted_by_digest(
            find_candidates(self._state, candidates.unused_members, cutoff)
        ):
            for freed in await throttle.run_batches(found, unit):
                report.members += freed.members
                report.blobs += freed.blobs
                report.blob_bytes += freed.bytes


async def find_candidates(
    state: RegistryState, find: Find, cutoff: Cutoff
) -> AsyncIterator[list[Key]]:
    """The candidates of a whole table, a page at a time."""
    position: Key | None = START
    while position is not None:
        found = await state.database.operator.read(partial(find, cutoff, position))
        if found.found:
            yield found.found
        position = found.next


async def sorted_by_digest(slices: AsyncIterator[list[Key]]) -> AsyncIterator[list[Key]]:
    """Candidates of many pages sorted by digest, the order of most indexes.

    Neighbours share database pages: a unit then writes a quarter less to the log.
    """
    gathered: list[Key] = []
    async for found in slices:
        gathered += found
        if len(gathered) >= MAX_CANDIDATES:
            yield sorted(gathered, key=digest_of)
            gathered = []
    if gathered:
        yield sorted(gathered, key=digest_of)


def digest_of(key: Key) -> str:
    return key[1]


class CollectionResult(NamedTuple):
    """How many manifests a unit has collected, and which it has left to the next."""

    collected: int
    rest: Sequence[Key]


def collect_manifests(
    connection: Connection, change: Change, cutoff: Cutoff, keys: Sequence[Key]
) -> CollectionResult:
    """Collect the manifests that still nothing keeps, as many as one unit may.

    Contents are copied to the trash, and what a manifest alone kept has its lease written with
    its content: the sum of both bounds a unit, whatever clients have pushed.
    """
    count = size = 0
    for position, key in enumerate(keys):
        content = candidates.size_if_untagged(connection, cutoff, key)
        if content is None:
            continue
        if size >= BYTES_PER_BATCH or renew_some_dependents(connection, change, key):
            return CollectionResult(count, keys[position:])
        collect_manifest(connection, change, key)
        count, size = count + 1, size + content
    return CollectionResult(count, ())


def renew_some_dependents(connection: Connection, change: Change, key: Key) -> int:
    return manifests.renew_some_dependents(connection, change, key[0], stored_digest(key[1]))


def collect_manifest(connection: Connection, change: Change, key: Key) -> None:
    digest = stored_digest(key[1])
    manifests.remove(connection, change, key[0], digest)
    name = repositories.name_of(connection, key[0])
    audit.append(connection, change, "manifest.collect", name, str(digest))
