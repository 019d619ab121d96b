"""images, tag, rmi, history: the lines that they print of the daemon's answers."""

from typing import Any

import pytest

from runner.cli.commands.images import COMMANDS, split_reference
from runner.client import DaemonRefused
from tests.support.runner.fake_daemon import FakeDaemon, run_command

DIGEST = "sha256:" + "d" * 64


def image(*tags: str, digests: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "Id": "sha256:" + "a" * 64,
        "RepoTags": list(tags),
        "RepoDigests": list(digests),
        "Created": 0,
        "Size": 1_500_000,
        "Containers": 2,
    }


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("app", ("app", None)),
        ("app:1", ("app", "1")),
        ("host:5000/app", ("host:5000/app", None)),
        ("host:5000/app:1", ("host:5000/app", "1")),
        (f"app@{DIGEST}", (f"app@{DIGEST}", None)),
    ],
)
def test_a_tag_is_told_from_a_port_and_a_digest(
    reference: str, parts: tuple[str, str | None]
) -> None:
    assert split_reference(reference) == parts


@pytest.mark.parametrize(
    ("found", "lines"),
    [
        (image("app:1", "other:2"), ["app 1 <none>", "other 2 <none>"]),
        (image("app:1", digests=(f"app@{DIGEST}",)), [f"app 1 {DIGEST}"]),
        (image(digests=(f"app@{DIGEST}",)), [f"app <none> {DIGEST}"]),
        (image(), ["<none> <none> <none>"]),
    ],
)
def test_each_name_of_an_image_is_a_line(
    found: dict[str, Any], lines: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    daemon = FakeDaemon(list_images=[found])
    form = "{{.Repository}} {{.Tag}} {{.Digest}}"

    assert run_command(COMMANDS, "images", daemon, "--format", form) == 0

    assert capsys.readouterr().out.splitlines() == lines


def test_a_list_has_docker_s_columns(capsys: pytest.CaptureFixture[str]) -> None:
    run_command(COMMANDS, "images", FakeDaemon(list_images=[image("app:1")]), "app")

    titles, line = capsys.readouterr().out.splitlines()
    assert titles.split() == ["REPOSITORY", "TAG", "IMAGE", "ID", "CREATED", "SIZE"]
    assert line.split()[:3] == ["app", "1", "a" * 12]
    # An image that tells no time of its creation.
    assert line.split()[3:] == ["N/A", "1.5MB"]


def test_a_name_is_a_filter_of_references() -> None:
    daemon = FakeDaemon(list_images=[])

    run_command(COMMANDS, "images", daemon, "-a", "--filter", "dangling=true", "app")

    options = daemon.asked[0][2]
    assert options["all"] == "1"
    assert options["filters"] == '{"dangling": ["true"], "reference": ["app"]}'


def test_a_tag_is_set_by_name_and_tag() -> None:
    daemon = FakeDaemon(tag_image=None)

    assert run_command(COMMANDS, "tag", daemon, "app", "host:5000/new:2") == 0

    assert daemon.asked == [("tag_image", ("app", "host:5000/new", "2"), {})]


def test_each_removal_is_told_and_one_refusal_keeps_no_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    daemon = FakeDaemon(
        remove_image={
            "absent": DaemonRefused(404, "No such image: absent"),
            "app": [{"Untagged": "app:latest"}, {"Deleted": "sha256:abc"}],
        }
    )

    assert run_command(COMMANDS, "rmi", daemon, "absent", "app") == 1

    told = capsys.readouterr()
    assert told.out == "Untagged: app:latest\nDeleted: sha256:abc\n"
    assert told.err.startswith("Error: no such image: absent\n")
    assert run_command(COMMANDS, "rmi", daemon, "-f", "absent") == 0


def test_a_long_step_of_the_history_is_cut_short(capsys: pytest.CaptureFixture[str]) -> None:
    step = {"Id": "<missing>", "Created": 0, "CreatedBy": "x" * 50, "Size": 0, "Comment": ""}
    daemon = FakeDaemon(image_history=[step])

    run_command(COMMANDS, "history", daemon, "--format", "{{.CreatedBy}}", "app")
    run_command(COMMANDS, "history", daemon, "--no-trunc", "--format", "{{.CreatedBy}}", "app")

    assert capsys.readouterr().out.splitlines() == ["x" * 44 + "…", "x" * 50]
