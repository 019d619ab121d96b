"""GcService: a registry with a test's clock, and its collector."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from registry.gc.collector import GarbageCollector
from registry.gc.epochs import count_epoch
from registry.gc.report import GcReport
from registry.services.context import UploadLimits
from registry.services.repositories import Repository
from registry.storage.retention import Retention
from tests.support.registry.clocks import FakeClock
from tests.support.registry.settings import default_retention
from tests.support.registry.storage import Service, a_service

SECOND = 1000
SHORT = default_retention(lease_ms=60 * SECOND, epoch_ms=10 * SECOND, undelete_ms=0)


@dataclass(frozen=True, slots=True)
class GcService:
    """A registry, its clock, and who collects its garbage."""

    service: Service
    clock: FakeClock
    collector: GarbageCollector

    def repository(self, name: str = "team/app") -> Repository:
        return self.service.repository(name)

    async def pass_time(self, seconds: float) -> None:
        """Let time pass, by all clocks, with the epochs that a running server counts."""
        step = self.service.state.retention.epoch_ms
        for remaining in range(int(seconds * SECOND), 0, -step):
            self.clock.advance(min(step, remaining))
            await count_epoch(self.service.state)

    async def outlive_leases(self) -> None:
        await self.pass_time(90)

    async def collect(self) -> GcReport:
        return await self.collector.collect()


@contextlib.asynccontextmanager
async def a_gc_service(
    path: Path,
    *,
    retention: Retention = SHORT,
    limits: UploadLimits | None = None,
    clock: FakeClock | None = None,
) -> AsyncIterator[GcService]:
    clock = clock or FakeClock()
    async with a_service(path, clock=clock, retention=retention, limits=limits) as service:
        yield GcService(service, clock, GarbageCollector(service.state, share=1))
