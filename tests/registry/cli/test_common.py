"""How a command ends, whatever ends it."""

import sys
import types
from typing import Any

import click
import pytest
from click.testing import CliRunner

from registry.cli.common import INTERRUPTED, handle_errors


class Interrupted(types.ModuleType):
    """A module in whose import ctrl-C is pressed."""

    def __getattr__(self, name: str) -> Any:
        raise KeyboardInterrupt


def interrupted() -> None:
    raise KeyboardInterrupt


def completed() -> None:
    return


@pytest.mark.parametrize("is_in_import", [True, False])
def test_an_interrupt_says_what_to_do_next(
    monkeypatch: pytest.MonkeyPatch, is_in_import: bool
) -> None:
    if is_in_import:
        monkeypatch.setitem(sys.modules, "registry.errors", Interrupted("registry.errors"))
    command = click.command()(handle_errors(completed if is_in_import else interrupted))

    result = CliRunner().invoke(command)

    assert result.exit_code == INTERRUPTED
    assert result.output == "Interrupted; run the command again to continue or to begin again.\n"
