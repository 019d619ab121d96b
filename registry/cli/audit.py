"""registry audit: list, export and verify the rows that every change has written."""

import csv
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import click

from registry.admin.audit import DEFAULT_LIMIT
from registry.cli.common import administer, config_file, handle_errors, root_directory
from registry.cli.output import Duration, output_format, say, show
from registry.services.operator.audit import verify_lines

Rows = Iterator[dict[str, Any]]

# More than any row of an export has.
MAX_LINE = 1024 * 1024

COLUMNS = ("id", "time", "identity", "action", "repository", "target", "detail", "hash")
# A spreadsheet takes a cell that begins so for a formula (rule WB-19).
FORMULA = ("=", "+", "-", "@", "\t", "\r")

since_option = click.option(
    "--since",
    "since_ms",
    type=Duration(),
    metavar="DURATION",
    help="Only what happened since then, such as 7d or 12h ago.",
)


@click.group()
def audit() -> None:
    """List, export and verify the audit: one row for every change."""


@audit.command("list")
@config_file
@root_directory
@output_format
@since_option
@click.option("--who", metavar="NAME", help="Only changes by this user, robot or program.")
@click.option("--action", metavar="GLOB", help="Only these actions, such as 'tag.*'.")
@click.option("--repository", metavar="PATTERN", help="Only in these, such as 'team/*'.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=DEFAULT_LIMIT,
    show_default=True,
    help="The most rows.",
)
@handle_errors
def show_rows(config: Path | None, root: str | None, style: str, **selection: Any) -> None:
    """List the newest rows of the audit."""
    show(
        rows_of(config, root, "audit list", **selection),
        style,
        [
            ("TIME", lambda row: iso(row["at"])[:19]),
            ("WHO", lambda row: printable(row["identity"])),
            ("ACTION", lambda row: printable(row["action"])),
            ("REPOSITORY", lambda row: printable(row["repository"])),
            ("TARGET", lambda row: printable(row["target"])),
            ("DETAIL", lambda row: printable(row["detail"])),
        ],
    )


@audit.command()
@config_file
@root_directory
@since_option
@click.option(
    "--format",
    "style",
    type=click.Choice(["ndjson", "csv"]),
    default="ndjson",
    help="JSON lines, which `registry audit verify` reads, or CSV for a spreadsheet.",
)
@handle_errors
def export(config: Path | None, root: str | None, since_ms: int | None, style: str) -> None:
    """Export the audit to stdout, oldest row first."""
    rows = rows_of(config, root, "audit export", since_ms=since_ms)
    if style == "csv":
        write_csv(rows, sys.stdout)
        return
    for row in rows:
        click.echo(json.dumps(row))


@audit.command()
@config_file
@root_directory
@output_format
@click.argument("file", type=click.File("rb"), required=False)
@click.option("--head", metavar="HASH", help="A hash noted earlier, which the chain must contain.")
@handle_errors
def verify(
    config: Path | None, root: str | None, style: str, file: IO[bytes] | None, head: str | None
) -> None:
    """Verify that no row was altered or removed: in the registry, or in an exported FILE.

    FILE is JSON lines of `registry audit export`; - is stdin.
    """
    if file is None:
        [found] = administer(config, root, "audit verify", head=head)
    else:
        found = asdict(verify_lines(lines_of(file), head))
    begins = ", from the row after {begins_after} on" if found["begins_after"] else ""
    shown = {**found, "head": found["head"] or "none"} if style != "json" else found
    say([shown], style, "ok, {rows} rows" + begins + ", head {head}")


def lines_of(file: IO[bytes]) -> Iterator[bytes]:
    while line := file.readline(MAX_LINE):
        yield line


def rows_of(config: Path | None, root: str | None, command: str, **arguments: Any) -> Rows:
    for document in administer(config, root, command, **arguments):
        yield from document["rows"]


def write_csv(rows: Rows, stream: IO[str]) -> None:
    """Write a line of titles, and a line for each row."""
    writer = csv.writer(stream)
    writer.writerow(COLUMNS)
    for row in rows:
        cells = {**row, "time": iso(row["at"])}
        writer.writerow([cell(str(cells[name])) for name in COLUMNS])


def cell(text: str) -> str:
    """A cell that no spreadsheet takes for a formula (rule WB-19).

    >>> cell("=1+1"), cell("1+1")
    ("'=1+1", '1+1')
    """
    return f"'{text}" if text.startswith(FORMULA) else text


def printable(text: str) -> str:
    """The text without characters that a terminal acts on.

    >>> printable("a\\x1b[2J")
    'a\\\\x1b[2J'
    """
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def iso(milliseconds: int) -> str:
    """A time in UTC.

    >>> iso(1_800_000_000_000)
    '2027-01-15T08:00:00.000Z'
    """
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
