"""inspect: the first kind that has the name, and an error for each name that none has."""

import json

import pytest

from runner.cli.commands.inspect import COMMANDS
from runner.client import DaemonRefused
from tests.support.runner.fake_daemon import FakeDaemon, run_command

ABSENT = DaemonRefused(404, "no such thing")


def daemon(**answers: object) -> FakeDaemon:
    absent = dict.fromkeys(("inspect_container", "inspect_image", "inspect_volume"), ABSENT)
    return FakeDaemon(**{**absent, **answers})


def test_every_name_is_looked_for_as_container_image_and_volume(
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = daemon(inspect_image={"app": {"Id": "i"}, "data": DaemonRefused(400, "no reference")},
                   inspect_volume={"data": {"Name": "data"}, "app": ABSENT})  # fmt: skip

    assert run_command(COMMANDS, "inspect", given, "app", "data") == 0

    assert json.loads(capsys.readouterr().out) == [{"Id": "i"}, {"Name": "data"}]


def test_a_missing_name_is_told_and_the_others_are_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = daemon(inspect_container={"here": {"State": {"Pid": 7}}, "gone": ABSENT})

    code = run_command(COMMANDS, "inspect", given, "-f", "{{.State.Pid}}", "gone", "here")

    told = capsys.readouterr()
    assert (code, told.out) == (1, "7\n")
    assert told.err.startswith("Error: no such object: gone\n")


def test_a_type_looks_nowhere_else(capsys: pytest.CaptureFixture[str]) -> None:
    given = daemon(inspect_image={"Id": "i"})

    assert run_command(COMMANDS, "inspect", given, "--type", "volume", "x") == 1

    told = capsys.readouterr()
    assert told.out == "[]\n"
    assert told.err.startswith("Error: no such volume: x\n")


def test_a_failure_is_not_taken_for_a_missing_name() -> None:
    given = daemon(inspect_container=DaemonRefused(500, "the disk"))

    with pytest.raises(DaemonRefused, match="the disk"):
        run_command(COMMANDS, "inspect", given, "x")
