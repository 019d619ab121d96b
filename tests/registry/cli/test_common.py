"""Errors of a command: one line for each mistake, and exit status 1."""

import errno

import click
import pytest
from click.testing import CliRunner

from registry.cli.common import handle_errors
from registry.config import SettingsInvalid
from registry.errors import CommandRefused, StartupError


@pytest.mark.parametrize(
    ("error", "output"),
    [
        (SettingsInvalid(["a: wrong", "b: wrong"]), "Error: a: wrong\nError: b: wrong\n"),
        (StartupError("the root is in use"), "Error: the root is in use\n"),
        (CommandRefused("unknown command"), "Error: unknown command\n"),
        (OSError(errno.ENOENT, "No such file", "/a/file"), "Error: /a/file: No such file\n"),
        (OSError(errno.EIO, "Input/output error"), "Error: Input/output error\n"),
        (OSError("a sentence"), "Error: a sentence\n"),
    ],
)
def test_an_error_is_one_line_for_each_mistake(error: Exception, output: str) -> None:
    def fails() -> None:
        raise error

    result = CliRunner().invoke(click.command()(handle_errors(fails)))

    assert (result.exit_code, result.output) == (1, output)


def test_another_exception_is_a_fault_and_not_hidden() -> None:
    def fails() -> None:
        raise LookupError("a bug")

    result = CliRunner().invoke(click.command()(handle_errors(fails)))

    assert isinstance(result.exception, LookupError)
