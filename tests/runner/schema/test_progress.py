"""ProgressEvent: each form as docker's clients read it."""

from typing import Any

import pytest

from runner.schema.progress import ProgressEvent, PushedManifest


@pytest.mark.parametrize(
    ("event", "document"),
    [
        (ProgressEvent("Pulling"), {"status": "Pulling", "progressDetail": {}}),
        (
            ProgressEvent("Downloading", "abc", 0, 9),
            {"status": "Downloading", "progressDetail": {"current": 0, "total": 9}, "id": "abc"},
        ),
        (ProgressEvent(stream="Loaded\n"), {"stream": "Loaded\n"}),
        (
            ProgressEvent("Pushed", pushed=PushedManifest("1", "sha256:a", 7)),
            {"progressDetail": {}, "aux": {"Tag": "1", "Digest": "sha256:a", "Size": 7}},
        ),
        (
            ProgressEvent("Pulling", "abc", error="gone"),
            {"errorDetail": {"message": "gone"}, "error": "gone"},
        ),
        (
            ProgressEvent(error="gone", kind="no-space"),
            {"errorDetail": {"message": "gone", "kind": "no-space"}, "error": "gone"},
        ),
    ],
    ids=["status", "bytes", "stream", "pushed", "error", "error of a kind"],
)
def test_an_event_has_its_form_on_the_wire(event: ProgressEvent, document: dict[str, Any]) -> None:
    assert event.to_json() == document
