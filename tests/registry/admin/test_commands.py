"""Commands: found by name, with arguments of their types."""

from typing import cast

import pytest

from registry.admin.commands import COMMANDS, find, start
from registry.admin.open_registry import OpenRegistry
from registry.errors import CommandRefused

# No command is run: the registry is not looked at.
UNOPENED = cast(OpenRegistry, None)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_found_by_its_name(name: str) -> None:
    assert find(name, {}) is COMMANDS[name]


@pytest.mark.parametrize(
    ("name", "arguments", "sentence"),
    [
        ("repo lists", {}, "no command 'repo lists': is the server older than the command?"),
        (["gc"], {}, r"no command \['gc'\]"),
        ("gc", [], r"arguments are \[\], expected an object"),
        ("gc", {"dry": True}, "gc does not take dry = True"),
        ("gc", {"dry_run": "yes"}, "gc does not take dry_run = 'yes'"),
        ("scrub", {"rate": 1.5}, r"scrub does not take rate = 1\.5"),
    ],
)
def test_an_unknown_name_or_argument_is_refused(
    name: object, arguments: object, sentence: str
) -> None:
    with pytest.raises(CommandRefused, match=sentence):
        find(name, arguments)


def test_an_argument_too_few_is_refused() -> None:
    with pytest.raises(CommandRefused, match=r"undelete: .*'what'"):
        start(UNOPENED, "undelete", {})


@pytest.mark.parametrize(
    ("name", "arguments", "takes_no_write", "applies"),
    [
        ("fsck", {}, False, True),
        ("fsck", {"repair": True}, True, False),
        ("audit verify", {}, False, True),
        ("backup", {}, True, True),
        ("backup", {}, False, False),
    ],
)
def test_a_stopped_registry_is_only_read_where_nothing_is_to_be_changed(
    name: str, arguments: dict[str, object], takes_no_write: bool, applies: bool
) -> None:
    stopped = COMMANDS[name].stopped

    assert stopped is not None
    assert stopped.applies(arguments, takes_no_write) is applies
