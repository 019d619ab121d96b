"""volume: its verbs, and a volume that is not there."""

import pytest

from runner.cli.arguments import UsageError
from runner.cli.commands.volumes import COMMANDS
from runner.client import DaemonRefused
from tests.support.runner.fake_daemon import FakeDaemon, run_command

VOLUMES = [
    {"Driver": "local", "Name": "data", "Mountpoint": "/v/data", "Labels": {"b": "2", "a": "1"}},
    {"Driver": "local", "Name": "logs", "Mountpoint": "/v/logs", "Labels": None},
]


@pytest.mark.parametrize("words", [("data",), ("--name", "data"), ()])
def test_a_volume_is_made_by_its_name_or_without_one(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    daemon = FakeDaemon(create_volume={"Name": "made"})

    assert run_command(COMMANDS, "volume", daemon, "create", "--label", "a=b", *words) == 0

    assert daemon.asked == [("create_volume", ("data" if words else "", {"a": "b"}), {})]
    assert capsys.readouterr().out == "made\n"


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        ((), ["DRIVER VOLUME NAME", "local data", "local logs"]),
        (("-q",), ["data", "logs"]),
        (("--format", "{{.Name}} {{.Labels}}"), ["data a=1,b=2", "logs"]),
    ],
)
def test_a_list_has_every_form(
    options: tuple[str, ...], lines: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    run_command(COMMANDS, "volume", FakeDaemon(list_volumes=VOLUMES), "ls", *options)

    told = capsys.readouterr().out.splitlines()
    assert [" ".join(line.split()) for line in told] == lines


@pytest.mark.parametrize(
    ("options", "status", "code"),
    [((), 404, 1), (("-f",), 404, 0), (("-f",), 409, 1)],
)
def test_only_a_missing_volume_is_no_error_of_a_forced_removal(
    options: tuple[str, ...], status: int, code: int
) -> None:
    daemon = FakeDaemon(remove_volume=DaemonRefused(status, "refused"))

    assert run_command(COMMANDS, "volume", daemon, "rm", *options, "data") == code


@pytest.mark.parametrize("words", [("nonsense",), ("create", "--name", "a", "b")])
def test_another_verb_and_a_second_name_are_usage_errors(words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        run_command(COMMANDS, "volume", FakeDaemon(), *words)
