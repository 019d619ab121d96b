"""registry fsck, scrub, unlatch: whether everything is whole, and going on after it was not."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from registry.cli.common import administer, config_file, handle_errors, root_directory

WRONG = 1
# What to do next, after the last finding.
MARK = "`registry fsck --repair` marks what is damaged, so that it is not served any more."
NEXT = "What is damaged heals when it is pushed again; otherwise restore a backup."


@click.command()
@config_file
@root_directory
@click.option("--deep", is_flag=True, help="Read and hash every byte that is kept.")
@click.option("--repair", is_flag=True, help="Mend what can be mended without losing anything.")
@handle_errors
def fsck(config: Path | None, root: str | None, deep: bool, repair: bool) -> None:
    """Compare the rows with the files and with each other: is everything here, and whole?

    Works on a registry that runs and on one that is stopped, and changes nothing without
    --repair.  Ends with 1 if something is wrong.  Leftovers of a crash are not: they are listed,
    and do no harm.
    """
    wrong = 0
    for line in administer(config, root, "fsck", deep=deep, repair=repair):
        if "finding" in line:
            click.echo(format_finding(line["finding"]))
        if "summary" in line:
            summary = line["summary"]
            wrong = summary["wrong"]
            looked = ", ".join(f"{count} {what}" for what, count in summary["looked_at"].items())
            click.echo(f"{wrong} wrong, {summary['harmless']} left over; looked at {looked}")
    if wrong:
        click.echo(NEXT if repair else f"{MARK} {NEXT}", err=True)
        sys.exit(WRONG)


@click.command()
@config_file
@root_directory
@click.option("--rate", type=click.IntRange(min=1024), metavar="BYTES", help="Bytes per second.")
@click.option(
    "--max-duration",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Stop after so long; the next scrub goes on where this one stopped.",
)
@handle_errors
def scrub(
    config: Path | None, root: str | None, rate: int | None, max_duration: float | None
) -> None:
    """Read every blob and manifest, and mark what is corrupt.

    What is marked is not served until it is pushed again.  Ends with 1 if anything was found that
    was not marked before; `registry fsck` lists everything that is marked.
    """
    corrupt = 0
    for line in administer(config, root, "scrub", rate=rate, max_duration=max_duration):
        if "finding" in line:
            click.echo(format_finding(line["finding"]))
        if "summary" in line:
            summary = line["summary"]
            corrupt = summary["corrupt"]
            rest = "" if summary["is_complete"] else "; stopped before the end"
            click.echo(
                f"{corrupt} newly found corrupt; read {summary['blobs']} blobs of "
                f"{summary['bytes']} bytes, {summary['manifests']} manifests{rest}"
            )
    if corrupt:
        click.echo(NEXT, err=True)
        sys.exit(WRONG)


@click.command()
@config_file
@root_directory
@handle_errors
def unlatch(config: Path | None, root: str | None) -> None:
    """Allow writing again after the disk has failed.

    A disk that fails, even once, makes the registry read-only: see to the disk first, then run
    `registry fsck --deep`.  Refused while the disk does not take a file.
    """
    for line in administer(config, root, "unlatch"):
        if line["reason"] is None:
            click.echo("Nothing to do: the registry was not read-only.")
        else:
            click.echo(f"The registry takes writes again.  It was read-only for: {line['reason']}")


def format_finding(finding: Mapping[str, Any]) -> str:
    """A finding in one line."""
    kind = " (left over)" if finding["harmless"] else ""
    line = (
        f"{finding['invariant']}{kind} {finding['what']}: "
        f"found {finding['found']}, expected {finding['expected']}"
    )
    if finding["affects"]:
        line += f"; affects {', '.join(finding['affects'])}"
    if finding["repaired"]:
        line += f" -> {finding['repaired']}"
    return line
