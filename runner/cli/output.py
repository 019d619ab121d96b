"""Output of lists: tables, --format, -q."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runner.cli.arguments import Parser, UsageError
from runner.cli.template import Template

Row = Any


@dataclass(frozen=True)
class Column:
    """A column of a list: its title, its value for a row, its name in a --format template."""

    title: str
    value: Callable[[Row], str]
    name: str = ""


def list_options(parser: Parser) -> None:
    """Add the options common to all lists."""
    parser.flag("-q", "--quiet", help="print only IDs")
    parser.flag("--no-trunc", help="do not truncate output")
    parser.options("-f", "--filter", metavar="KEY=VALUE", help="filter the output")
    parser.option("--format", metavar="FORMAT", help="table, json, or a template: '{{.ID}}'")


def filters_json(filters: Sequence[str]) -> str | None:
    """``--filter`` in the Engine API's form; UsageError for one that is not KEY=VALUE."""
    if not filters:
        return None
    found: dict[str, list[str]] = {}
    for text in filters:
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise UsageError(f"--filter: invalid {text!r}: expected KEY=VALUE")
        found.setdefault(key, []).append(value)
    return json.dumps(found)


def format_list(
    columns: Sequence[Column],
    rows: Sequence[Row],
    *,
    shown: Sequence[str],
    format: str | None,
    quiet: Column | None,
) -> str:
    """Format a list as text.  ``shown`` holds the titles of the default table, in order."""
    if quiet is not None:
        return "".join(f"{quiet.value(row)}\n" for row in rows)
    if format in (None, "", "table"):
        return table([column for column in columns if column.title in shown], rows)
    named = {column.name: column for column in columns if column.name}
    if format == "json":
        return "".join(json.dumps(_row_values(named, row)) + "\n" for row in rows)
    assert format is not None
    if format.startswith("table "):
        return _template_table(named, rows, format.removeprefix("table "))
    template = Template.parse(format.replace(r"\t", "\t").replace(r"\n", "\n"))
    return "".join(f"{template.render(_row_values(named, row))}\n" for row in rows)


def table(columns: Sequence[Column], rows: Iterable[Row]) -> str:
    """Format rows as docker does: aligned columns, three spaces apart."""
    return _align(
        [[column.title for column in columns]]
        + [[column.value(row) for column in columns] for row in rows]
    )


def _template_table(named: Mapping[str, Column], rows: Sequence[Row], text: str) -> str:
    """``table {{.ID}}\\t{{.Names}}``: the template's own columns, under their titles."""
    template = Template.parse(text.replace(r"\t", "\t"))
    titles = {name: column.title for name, column in named.items()}
    lines = [template.render(titles)] + [template.render(_row_values(named, row)) for row in rows]
    return _align([line.split("\t") for line in lines])


def _row_values(named: Mapping[str, Column], row: Row) -> dict[str, str]:
    return {name: column.value(row) for name, column in named.items()}


def _align(lines: Sequence[Sequence[str]]) -> str:
    widths = [0] * max((len(line) for line in lines), default=0)
    for line in lines:
        for index, cell in enumerate(line):
            widths[index] = max(widths[index], len(cell))
    text = ""
    for line in lines:
        cells = [cell.ljust(widths[index]) for index, cell in enumerate(line)]
        text += "   ".join(cells).rstrip() + "\n"
    return text
