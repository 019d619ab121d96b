"""events, info, version: the lines that they print of the daemon's answers."""

import json

import pytest

from runner.cli.commands.system import COMMANDS
from runner.client import DaemonUnreachable
from tests.support.runner.fake_daemon import FakeDaemon, run_command

EVENT = {
    "Type": "container",
    "Action": "start",
    "Actor": {"ID": "abc", "Attributes": {"name": "web", "image": "app"}},
    "timeNano": 1_800_000_000_000_000_007,
}


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ((), "2027-01-15T08:00:00.000000007Z container start abc (image=app, name=web)"),
        (("--format", "{{.Action}} {{.Actor.ID}}"), "start abc"),
        (("--format", "json"), json.dumps(EVENT)),
    ],
)
def test_an_event_is_a_line(
    options: tuple[str, ...], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon = FakeDaemon(events=[EVENT])

    assert run_command(COMMANDS, "events", daemon, *options, "-f", "type=container") == 0

    assert capsys.readouterr().out == f"{line}\n"
    assert daemon.asked[0][2]["filters"] == '{"type": ["container"]}'


def test_info_tells_what_the_daemon_knows_and_its_warnings(
    capsys: pytest.CaptureFixture[str],
) -> None:
    daemon = FakeDaemon(info={"NCPU": 2, "MemTotal": 2**30, "Warnings": ["no swap limit"]})

    assert run_command(COMMANDS, "info", daemon) == 0

    told = capsys.readouterr()
    assert told.out == "CPUs: 2\nTotal Memory: 1GiB\n"
    assert told.err == "WARNING: no swap limit\n"


def test_version_tells_of_both_sides(capsys: pytest.CaptureFixture[str]) -> None:
    daemon = FakeDaemon(version={"Version": "9.9", "ApiVersion": "1.44", "Os": "linux"})

    run_command(COMMANDS, "version", daemon)
    run_command(COMMANDS, "version", daemon, "-f", "{{.Server.Version}}")

    told = capsys.readouterr().out
    assert told.startswith("Client:\n Version:      ")
    assert told.endswith(
        "Server:\n Version:      9.9\n API version:  1.44\n OS:           linux\n9.9\n"
    )


class Unreachable(FakeDaemon):
    def version(self) -> None:
        raise DaemonUnreachable("nobody answers")


@pytest.mark.parametrize(("options", "shown"), [((), True), (("-f", "json"), False)])
def test_without_a_daemon_the_client_is_told_of(
    options: tuple[str, ...], shown: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(DaemonUnreachable):
        run_command(COMMANDS, "version", Unreachable(), *options)

    assert capsys.readouterr().out.startswith("Client:\n") is shown
