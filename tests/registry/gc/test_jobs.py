"""Jobs of the collector: the first pass sweeps, the next ones only when it is time."""

import pytest

from registry.gc.jobs import GcJobs
from tests.support.registry.gc_service import SECOND, GcService


def jobs_of(gc_service: GcService) -> GcJobs:
    state = gc_service.service.state
    return GcJobs(state, gc_service.collector, interval=10, sweep=100)


async def test_orphans_are_swept_at_the_first_pass_and_then_in_their_interval(
    gc_service: GcService, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweeps = []
    collect = gc_service.collector.collect

    async def recorded(*, sweeps_: bool = True) -> object:
        sweeps.append(sweeps_)
        return await collect(sweeps=sweeps_)

    monkeypatch.setattr(gc_service.collector, "collect", lambda *, sweeps: recorded(sweeps_=sweeps))
    [_, job] = jobs_of(gc_service).jobs()

    for _ in range(3):
        await job.run()
        gc_service.clock.advance(60 * SECOND)

    assert sweeps == [True, False, True]


async def test_a_pass_is_logged_with_its_counts_and_its_time_of_the_lock(
    gc_service: GcService,
) -> None:
    [epoch, job] = jobs_of(gc_service).jobs()

    logged = await job.run()

    assert (epoch.name, job.name) == ("epoch", "garbage collected")
    assert {"blobs", "freed_bytes", "lock_ms", "longest_lock_ms"} <= set(logged or {})
