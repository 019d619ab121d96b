"""Cutoffs: each is of the present time and epoch."""

from registry.services.cutoffs import (
    lease_cutoff,
    present_epoch,
    trash_cutoff,
    untagged_cutoff,
)
from registry.storage.retention import Cutoff
from tests.support.registry.gc_service import GcService


async def test_cutoffs_move_with_the_clock_and_the_epochs(window: GcService) -> None:
    state = window.service.state
    before = await present_epoch(state)
    await window.pass_time(100)
    now, epoch = window.clock.wall, await present_epoch(state)

    found = [await lease_cutoff(state), await untagged_cutoff(state), await trash_cutoff(state)]

    assert epoch > before
    assert found == [
        Cutoff.lease(now, epoch, state.retention),
        Cutoff.untagged(now, epoch, state.retention),
        Cutoff.trash(now, epoch, state.retention),
    ]


async def test_before_the_first_epoch_its_number_is_0(window: GcService) -> None:
    assert await present_epoch(window.service.state) == 0
