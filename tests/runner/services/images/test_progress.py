"""LayerProgress: seldom enough to be read, and the end always."""

import asyncio

from oci.descriptor import Descriptor
from oci.digest import Digest
from oci.mediatype import OCI_LAYER_GZIP
from runner.schema import ProgressEvent
from runner.services.images.progress import LayerProgress, reminders

LAYER = Descriptor(OCI_LAYER_GZIP, Digest.of(b"layer"), 1000)


def test_many_small_steps_are_few_events_and_the_last_is_told() -> None:
    told: list[ProgressEvent] = []
    progress = LayerProgress(LAYER, told.append)

    for current in range(1, 1001):
        progress.moved("Downloading", current)

    assert 2 <= len(told) < 100
    assert (told[-1].current, told[-1].total) == (1000, 1000)
    assert told[-1].id == LAYER.digest.encoded[:12]


def test_a_step_without_a_word_is_not_told() -> None:
    told: list[ProgressEvent] = []
    progress = LayerProgress(LAYER, told.append)

    progress.status("")
    progress.moved("", 1000)
    progress.status("Pull complete")

    assert [event.status for event in told] == ["Pull complete"]


async def test_a_wait_is_told_until_it_is_over() -> None:
    enough = asyncio.Event()
    told: list[ProgressEvent] = []

    def tell(event: ProgressEvent) -> None:
        told.append(event)
        if len(told) == 3:
            enough.set()

    async with reminders(tell, "Waiting for registry.test", 0):
        await enough.wait()
    count = len(told)
    await asyncio.sleep(0)

    assert {event.status for event in told} == {"Waiting for registry.test"}
    assert len(told) == count


async def test_quick_work_is_not_told() -> None:
    told: list[ProgressEvent] = []

    async with reminders(told.append, "Waiting for registry.test"):
        pass

    assert told == []
