"""Parser: argparse with docker's conventions: --flag=false, options before the first argument only.

docs/decisions/0005 has the numbers behind argparse.
"""

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

Arguments = argparse.Namespace

_DECIMAL = re.compile(r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+")

_COMMAND_HELP = "then the command to run, and its arguments"


class UsageError(Exception):
    """The command line is invalid; the exit code is 2."""


class Parser(argparse.ArgumentParser):
    """The options and arguments of one command."""

    def __init__(self, command: str, description: str) -> None:
        super().__init__(
            prog=f"runner {command}",
            description=description,
            allow_abbrev=False,
            add_help=False,
            # With a fixed width the formatter does not import shutil to find the terminal's.
            formatter_class=lambda prog: argparse.HelpFormatter(
                prog, max_help_position=30, width=100
            ),
        )
        self._before_command = ""
        self.add_argument("--help", action="help", help="show this and exit")

    def flag(self, *names: str, help: str, default: bool = False) -> None:
        """An option without a value; --name=true and --name=false are accepted too."""
        destination = next(name for name in names if name.startswith("--"))
        dest = destination[2:].replace("-", "_")
        self.add_argument(*names, action="store_true", dest=dest, default=default, help=help)
        hidden = argparse.SUPPRESS
        yes, no = ([f"{name}={word}" for name in names] for word in ("true", "false"))
        self.add_argument(*yes, action="store_true", dest=dest, default=default, help=hidden)
        self.add_argument(*no, action="store_false", dest=dest, default=default, help=hidden)

    def option(
        self,
        *names: str,
        help: str,
        metavar: str = "TEXT",
        default: Any = None,
        type: Callable[[str], Any] | None = None,
        choices: Sequence[str] | None = None,
    ) -> None:
        """An option with a value; of several, the last one counts."""
        shown = metavar if choices is None else None
        self.add_argument(
            *names, default=default, help=help, type=type or str, choices=choices, metavar=shown
        )

    def options(self, *names: str, help: str, metavar: str = "TEXT") -> None:
        """An option that may be repeated."""
        self.add_argument(*names, action="append", default=[], help=help, metavar=metavar)

    def argument(self, name: str, *, nargs: str | None = None, help: str = "") -> None:
        self.add_argument(name, nargs=nargs, help=help or argparse.SUPPRESS, metavar=name.upper())

    def command_line(self, name: str) -> None:
        """``name``, then a program and its arguments, which are not parsed.

        A single argument holds them all: argparse would remove a ``--`` from the user's command.
        """
        self._before_command = name
        self.add_argument("words", nargs=argparse.PARSER, metavar=name.upper(), help=_COMMAND_HELP)

    def read(self, words: Sequence[str]) -> Arguments:
        """Parse the command line, or raise UsageError."""
        asked = self.parse_args(words)
        if self._before_command:
            remainder = asked.words[1:] if asked.words[0] == "--" else asked.words
            setattr(asked, self._before_command, remainder[0])
            asked.command = remainder[1:]
        return asked

    def error(self, message: str) -> NoReturn:
        raise UsageError(message)

    def _print_message(self, message: str, file: Any = None) -> None:
        (file or sys.stdout).write(message)


def size(text: str) -> int:
    """Parse a size in bytes as docker does: 512m, 1g, 64kb, in powers of 1024; -1 stays -1."""
    number = text.strip().lower()
    if number == "-1":
        return -1
    digits = number.rstrip("bkmgtpi")
    suffix = number[len(digits) :].removesuffix("b").removesuffix("i")
    powers = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
    value = _decimal(digits.rstrip())
    if suffix not in powers or not 0 <= value < 1e15:
        raise argparse.ArgumentTypeError(f"invalid size {text!r}: expected a number and b, k, m, g")
    return int(value * 1024 ** powers[suffix])


def number(text: str) -> int:
    """An integer, perhaps negative."""
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 18:
        raise argparse.ArgumentTypeError(f"invalid number {text!r}: expected an integer")
    return int(text)


def nano_cpus(text: str) -> int:
    """A number of CPUs, such as 1.5, in units of 10⁻⁹."""
    value = _decimal(text)
    if not 0 <= value < 1e6:
        raise argparse.ArgumentTypeError(
            f"invalid number of CPUs {text!r}: expected for example 1.5"
        )
    return int(value * 1_000_000_000)


def _decimal(text: str) -> float:
    """Parse digits with or without a fraction; -1 for another text.

    ``float`` also takes underscores, exponents, words and the digits of other scripts.
    """
    return float(text) if _DECIMAL.fullmatch(text) else -1.0


def assignment(text: str) -> tuple[str, str]:
    """``key=value``; without ``=`` the value is empty."""
    key, _, value = text.partition("=")
    if not key:
        raise argparse.ArgumentTypeError(f"invalid {text!r}: expected key=value")
    return key, value
