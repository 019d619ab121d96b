"""Output: a row is a line, a cell is text, and a password comes from no argument."""

import json
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from registry.cli.entry import COMMANDS, main
from registry.cli.output import Duration, moment, read_password, say, show
from registry.errors import Invalid

LINES = [{"id": "1", "text": "[bold]:a:"}, {"id": "2", "text": "x" * 300}]
COLUMNS = [("ID", lambda line: str(line["id"])), ("TEXT", lambda line: str(line["text"]))]


def test_a_table_has_a_line_for_each_row_whatever_is_in_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")

    show(LINES, "table", COLUMNS)

    head, _, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["ID", "TEXT"]
    assert [row.split() for row in rows] == [["1", "[bold]:a:"], ["2", "x" * 300]]


def test_an_empty_table_is_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    show([], "table", COLUMNS)

    assert capsys.readouterr().out == ""


def test_json_is_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    show(LINES, "json", COLUMNS)
    say(LINES, "json", "{id}")
    say(LINES, "table", "{id} is here")

    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line) for line in lines[:4]] == LINES + LINES
    assert lines[4:] == ["1 is here", "2 is here"]


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [("1s", 1000), ("30m", 1_800_000), ("12h", 43_200_000), ("90d", 7_776_000_000),
     ("2w", 1_209_600_000)],
)  # fmt: skip
def test_a_duration_is_a_number_and_a_unit(text: str, milliseconds: int) -> None:
    assert Duration().convert(text, None, None) == milliseconds


@pytest.mark.parametrize("text", ["", "90", "d", "0d", "-1d", "1.5h", "1D", "٣d", "1d ", "1d1h"])
def test_anything_else_is_no_duration(text: str) -> None:
    with pytest.raises(click.BadParameter, match="such as 90d"):
        Duration().convert(text, None, None)


def test_a_moment_is_in_utc_to_the_minute() -> None:
    assert moment(0) == "1970-01-01 00:00"
    assert (moment(None), moment(None, "-")) == ("never", "-")


@pytest.mark.parametrize("content", ["a password", "a password\n", "a password\r\n"])
def test_a_password_is_a_files_text_without_its_line_end(tmp_path: Path, content: str) -> None:
    file = tmp_path / "file"
    file.write_bytes(content.encode())

    assert read_password(str(file), "Password") == "a password"


def test_a_password_that_is_no_text_or_is_in_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"\xff\xfe")

    with pytest.raises(Invalid, match="is no UTF-8"):
        read_password(str(tmp_path / "file"), "Password")
    with pytest.raises(FileNotFoundError):
        read_password(str(tmp_path / "absent"), "Password")


def test_a_password_is_asked_for_twice_and_not_shown() -> None:
    @click.command()
    def command() -> None:
        click.echo(len(read_password(None, "Password of ada")))

    result = CliRunner().invoke(command, input="a password\na password\n")

    assert result.output.splitlines()[-1] == "10"
    assert "a password" not in result.output


def commands(command: click.Command) -> Iterator[click.Command]:
    yield command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from commands(found)


def test_no_command_takes_a_secret_as_an_argument() -> None:
    """An argument is in the list of processes, which all users of a machine can read."""
    names = {
        (command.name, parameter.name)
        for command in commands(main)
        for parameter in command.params
        if parameter.name and any(word in parameter.name for word in ("password", "secret"))
    }

    assert {name for _, name in names} == {"password_file", "no_password"}
    assert "setup" in COMMANDS
