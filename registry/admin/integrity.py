"""The commands fsck and scrub, and the background scrub."""

from __future__ import annotations

import math
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import asdict

import structlog

from registry.admin.command import Document
from registry.admin.open_registry import OpenRegistry
from registry.integrity.checks import Integrity
from registry.integrity.repair import Repair
from registry.integrity.scrub import Scrub, Throttle
from registry.jobs.scheduler import Job
from registry.services.cutoffs import DAY_MS
from registry.services.operator.stopped import StoppedRegistry

# Interval at which the background scrub looks for content that is due.
TURN_SECONDS = 3600.0

log = structlog.get_logger()


async def fsck(
    opened: OpenRegistry, *, deep: bool = False, repair: bool = False
) -> AsyncGenerator[Document, None]:
    """Check a served registry, or repair it; yields every finding, then a summary."""
    state = opened.state
    checks = Integrity(state.database.operator, state.store, deep)
    repairer = None
    if repair:
        counted = await checks.count_files()
        repairer = Repair(
            state.database, state.store, state.clock, keep_orphans=counted.has_too_many_orphans
        )
    async with aclosing(check(checks, repairer)) as documents:
        async for document in documents:
            yield document


async def fsck_stopped(
    stopped: StoppedRegistry, *, deep: bool = False, repair: bool = False
) -> AsyncGenerator[Document, None]:
    """Check a registry that no server has; ``repair`` is False: that changes it."""
    assert not repair
    async with aclosing(check(Integrity(stopped.rows, stopped.files, deep))) as documents:
        async for document in documents:
            yield document


async def check(
    checks: Integrity, repairer: Repair | None = None
) -> AsyncGenerator[Document, None]:
    """Check rows and files; yields every finding, then a summary."""
    wrong = harmless = 0
    async for found in checks.check():
        finding = found if repairer is None else await repairer.repair(found)
        wrong += not finding.harmless
        harmless += finding.harmless
        yield {"finding": finding.to_json()}
    yield {"summary": {"wrong": wrong, "harmless": harmless, "looked_at": checks.counts}}


async def scrub(
    opened: OpenRegistry, *, rate: int | None = None, max_duration: float = math.inf
) -> AsyncGenerator[Document, None]:
    """Scrub; yields every finding, already marked, then a summary."""
    throttle = Throttle(
        rate or opened.settings.scrub.rate_bytes_per_second, time.monotonic() + max_duration
    )
    due = opened.state.clock.wall_ms()
    run = Scrub(opened.state.database, opened.state.store, throttle, due, opened.state.clock)
    try:
        async for finding in run.run():
            yield {"finding": finding.to_json()}
    finally:
        throttle.stop()
    yield {"summary": asdict(run.done)}


def jobs(opened: OpenRegistry) -> Sequence[Job]:
    """The background scrub, unless it is disabled."""
    if opened.settings.scrub.interval_days == 0:
        return ()
    return (Job("scrub", TURN_SECONDS, BackgroundScrub(opened).turn),)


class BackgroundScrub:
    """Verifies content that was last verified longer ago than scrub.interval_days."""

    def __init__(self, opened: OpenRegistry) -> None:
        self._opened = opened
        self._manifests_at = 0

    async def turn(self) -> Mapping[str, object] | None:
        opened, clock = self._opened, self._opened.state.clock
        settings = opened.settings.scrub
        due = clock.wall_ms() - int(settings.interval_days * DAY_MS)
        throttle = Throttle(settings.rate_bytes_per_second)
        run = Scrub(opened.state.database, opened.state.store, throttle, due, clock)
        with_manifests = self._manifests_at <= due
        try:
            async for finding in run.run() if with_manifests else run.blobs():
                log.error("corrupt, and not served until it is pushed again", **finding.to_json())
        finally:
            throttle.stop()
        if with_manifests:
            self._manifests_at = clock.wall_ms()
        return asdict(run.done) if run.done.blobs or run.done.corrupt else None
