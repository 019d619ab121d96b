"""When run and create pull an image that the daemon has not, and when they do not."""

from typing import Any, cast

import pytest

from runner.cli.arguments import Parser
from runner.cli.commands import run, transfer
from runner.client import DaemonClient, DaemonRefused
from runner.errors import Kind


class Daemon:
    """Refuses the first create, and has the container at the second."""

    def __init__(self, refusal: DaemonRefused) -> None:
        self.refusals = [refusal]

    def create_container(self, body: dict[str, Any], **query: object) -> dict[str, Any]:
        if self.refusals:
            raise self.refusals.pop()
        return {"Id": "c1", "Warnings": []}


@pytest.fixture
def pulled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    images: list[str] = []

    def pull(daemon: object, image: str, **options: object) -> None:
        images.append(image)

    monkeypatch.setattr(transfer, "pull_image", pull)
    return images


def create(refusal: DaemonRefused, *words: str) -> int:
    parser = Parser("create", "")
    arguments, command = run.COMMANDS["create"]
    arguments(parser)
    daemon = cast(DaemonClient, Daemon(refusal))
    return command(daemon, parser.read(words))


def test_an_absent_image_is_pulled(pulled: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    refusal = DaemonRefused(404, "No such image: app", Kind.IMAGE_ABSENT)

    code = create(refusal, "app")

    said = capsys.readouterr()
    assert (code, pulled) == (0, ["app"])
    assert (said.out, said.err) == ("c1\n", "Unable to find image 'app' locally\n")


@pytest.mark.parametrize("kind", [Kind.VOLUME_ABSENT, Kind.CONTAINER_ABSENT, ""])
def test_another_404_pulls_nothing_and_is_told(pulled: list[str], kind: str) -> None:
    with pytest.raises(DaemonRefused, match="No such volume: v"):
        create(DaemonRefused(404, "No such volume: v", kind), "app")

    assert pulled == []


def test_an_absent_image_is_told_with_pull_never(pulled: list[str]) -> None:
    with pytest.raises(DaemonRefused, match="No such image: app"):
        create(DaemonRefused(404, "No such image: app", Kind.IMAGE_ABSENT), "--pull=never", "app")

    assert pulled == []


def test_the_kinds_that_run_tells_apart_are_the_daemons() -> None:
    kinds = {run._CONTAINER_NOT_RUNNING, run._IMAGE_ABSENT, *run._START_FAILURES}

    assert kinds <= {kind.value for kind in Kind}
