"""LayerProgress: rate-limited progress items of one layer.

The statuses are docker's, so that its clients draw their bars.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from oci.descriptor import Descriptor
from runner.schema import ProgressEvent
from runner.tasks import background

INTERVAL_SECONDS = 0.1
# Interval of reminders during a long wait.
REMINDER_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class ProgressLabels:
    """Statuses of a layer's steps; "" for a step that is not reported."""

    known: str = ""
    started: str = ""
    moving: str = ""
    here: str = ""
    unpacking: str = ""
    done: str = ""


PULLING = ProgressLabels(
    "Already exists",
    "Pulling fs layer",
    "Downloading",
    "Download complete",
    "Extracting",
    "Pull complete",
)
LOADING = ProgressLabels(moving="Loading layer")


class LayerProgress:
    """The progress of one layer, under the first 12 characters of its digest."""

    def __init__(self, layer: Descriptor, report: Callable[[ProgressEvent], None]) -> None:
        self._id = layer.digest.encoded[:12]
        self._total = layer.size
        self._publish = report
        self._reported = 0.0

    def status(self, status: str) -> None:
        """Report a new step at once."""
        if status:
            self._publish(ProgressEvent(status, self._id))

    def moved(self, status: str, current: int) -> None:
        """Report the bytes done, at most ten times a second, and when complete."""
        now = time.monotonic()
        if status and (current >= self._total or now - self._reported >= INTERVAL_SECONDS):
            self._reported = now
            self._publish(ProgressEvent(status, self._id, current, self._total))


@asynccontextmanager
async def reminders(
    report: Callable[[ProgressEvent], None], status: str, seconds: float = REMINDER_SECONDS
) -> AsyncIterator[None]:
    """Report a status periodically while the block runs."""

    async def remind() -> None:
        while True:
            await asyncio.sleep(seconds)
            report(ProgressEvent(status))

    reminding = background.start(remind(), f"remind of {status}")
    try:
        yield
    finally:
        reminding.cancel()
        await asyncio.gather(reminding, return_exceptions=True)
