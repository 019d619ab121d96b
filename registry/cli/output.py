"""Output: tables for people, JSON for programs; and what several commands ask for."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import click
from rich import box
from rich.console import Console
from rich.table import Table

from registry.auth.passwords import MAX_LENGTH
from registry.errors import Invalid

F = TypeVar("F", bound=Callable[..., Any])

WIDTH = 4096

_DURATION = re.compile(r"([1-9][0-9]{0,5})([smhdw])", re.ASCII)
_UNITS_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}

output_format: Callable[[F], F] = click.option(
    "--format",
    "style",
    type=click.Choice(["table", "json"]),
    default="table",
    help="A table for people, or one JSON object a line.",
)


class Duration(click.ParamType[int]):
    """A duration such as 90d, in milliseconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        found = _DURATION.fullmatch(str(value))
        if found is None:
            self.fail(f"{value!r}: expected a number and a unit, such as 90d, 12h or 30m")
        return int(found[1]) * _UNITS_MS[found[2]]


def show(
    documents: Iterable[Mapping[str, Any]],
    style: str,
    columns: Sequence[tuple[str, Callable[[Mapping[str, Any]], str]]],
) -> None:
    """Print documents: one JSON object a line, or a table of the columns."""
    if style == "json":
        for document in documents:
            click.echo(json.dumps(document))
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for title, _ in columns:
        table.add_column(title)
    count = 0
    for document in documents:
        table.add_row(*(text(document) for _, text in columns))
        count += 1
    if count:
        # One line for each row, which a terminal may wrap; cells are text, and no smileys.
        Console(highlight=False, markup=False, emoji=False, width=WIDTH).print(table)


def say(documents: Iterable[Mapping[str, Any]], style: str, sentence: str) -> None:
    """Print each document as JSON, or as a sentence with its members in it."""
    for document in documents:
        click.echo(json.dumps(document) if style == "json" else sentence.format_map(document))


def moment(milliseconds: int | None, none: str = "never") -> str:
    """A time in UTC, to the minute."""
    if milliseconds is None:
        return none
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M")


def read_password(file: str | None, prompt: str) -> str:
    """A password from a file, from stdin (``-``), or asked for twice; never from an argument.

    Raises Invalid.
    """
    if file is None:
        return str(click.prompt(prompt, hide_input=True, confirmation_prompt=True))
    try:
        with click.open_file(file, encoding="utf-8") as opened:
            text: str = opened.read(MAX_LENGTH + 3)
    except UnicodeDecodeError:
        raise Invalid(f"the password in {file} is no UTF-8") from None
    return text.removesuffix("\n").removesuffix("\r")
