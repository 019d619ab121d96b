"""Epochs: counted while the registry runs, from one process to the next."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from functools import partial

from oci.errors import OCIError
from registry.services.context import RegistryState
from registry.storage.metadata import epochs
from registry.storage.metadata.epochs import EpochWatch, Newest

# Of an epoch: the least gain that is worth a transaction, and so the most that a crash loses.
GAIN = 1 / 8
# Epochs shorter than some seconds are for tests; half of one, or this, between two looks will do.
MIN_INTERVAL_SECONDS = 0.5


def interval_seconds(epoch_ms: int) -> float:
    """The time between two calls of ``count_epoch``."""
    epoch = epoch_ms / 1000
    return max(epoch * GAIN, min(epoch / 2, MIN_INTERVAL_SECONDS))


async def count_epoch(state: RegistryState, gain: float = GAIN) -> int:
    """Begin the next epoch if due; returns the current number.

    If not due, writes down how long the newest was watched, once that is ``gain`` of an epoch more
    than its row says: some eight short transactions an epoch, and none for a request.
    """
    watch, clock, epoch_ms = state.epochs, state.clock, state.retention.epoch_ms
    newest = await state.database.look(epochs.NEWEST)
    if is_worth_a_write(newest, watch, clock.monotonic_ms(), epoch_ms, gain):
        unit = partial(epochs.advance, watch=watch, clock=clock, epoch_ms=epoch_ms)
        newest = await state.database.write(unit, on=None, purpose="gc")
    if newest is not None:
        watch.see(newest, clock.monotonic_ms())
    return 0 if newest is None else newest.number


def is_worth_a_write(
    newest: Newest | None, watch: EpochWatch, now: int, epoch_ms: int, gain: float
) -> bool:
    if newest is None or epochs.is_due(newest, watch, now, epoch_ms):
        return True
    return watch.age_ms(newest, now) - newest.watched_ms >= epoch_ms * gain


async def epochs_ahead(state: RegistryState) -> int:
    """The number of epochs that ``count_epoch`` would begin: one or none."""
    newest = await state.database.look(epochs.NEWEST)
    now = state.clock.monotonic_ms()
    return int(epochs.is_due(newest, state.epochs, now, state.retention.epoch_ms))


@contextlib.asynccontextmanager
async def watching_epochs(state: RegistryState) -> AsyncIterator[None]:
    """Watch the newest epoch from now on; at the end, write down how long it was."""
    newest = await state.database.look(epochs.NEWEST)
    if newest is not None:
        state.epochs.see(newest, state.clock.monotonic_ms())
    try:
        yield
    finally:
        # A disk that takes no write: the last part of an epoch is lost, as in a crash.
        with contextlib.suppress(OCIError):
            await count_epoch(state, gain=0)
