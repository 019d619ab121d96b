"""LayerProgress: seldom enough to be read, and the end always."""

from oci.descriptor import Descriptor
from oci.digest import Digest
from oci.mediatype import OCI_LAYER_GZIP
from runner.schema import ProgressEvent
from runner.services.images.progress import LayerProgress

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
