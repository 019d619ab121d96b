"""Jobs: the schedule of the collector, and the log of a pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from registry.gc.collector import GarbageCollector
from registry.gc.epochs import count_epoch, interval_seconds
from registry.jobs.scheduler import Job
from registry.services.context import RegistryState


class GcJobs:
    """The jobs of the collector.  The first pass sweeps: a crash may have left orphans."""

    def __init__(
        self, state: RegistryState, collector: GarbageCollector, *, interval: float, sweep: float
    ) -> None:
        self._state = state
        self._collector = collector
        self._interval = interval
        self._sweep_ms = sweep * 1000
        self._swept: int | None = None

    def jobs(self) -> Sequence[Job]:
        epoch = interval_seconds(self._state.retention.epoch_ms)
        return (
            Job("epoch", epoch, self._count_epoch),
            Job("garbage collected", self._interval, self._collect),
        )

    async def _count_epoch(self) -> None:
        await count_epoch(self._state)

    async def _collect(self) -> Mapping[str, object]:
        now = self._state.clock.monotonic_ms()
        sweeps = self._swept is None or now - self._swept >= self._sweep_ms
        report = await self._collector.collect(sweeps=sweeps)
        if sweeps:
            self._swept = now
        held = self._state.database.lock_times.of("gc")
        return {
            **report.document(),
            "lock_ms": round(held.total_ms, 1),
            "longest_lock_ms": round(held.longest_ms, 1),
        }
