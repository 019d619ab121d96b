"""registry fsck, unlatch: whether everything is as it should be, and going on after it was not."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from registry.cli.common import administer, config_file, root_directory, told_in_one_line

WRONG = 1


@click.command()
@config_file
@root_directory
@click.option("--deep", is_flag=True, help="Read and hash every byte that is kept.")
@click.option("--repair", is_flag=True, help="Mend what can be mended without losing anything.")
@told_in_one_line
def fsck(config: Path | None, root: str | None, deep: bool, repair: bool) -> None:
    """Compare the rows with the files and with each other.

    Works on a registry that runs and on one that is stopped, and changes nothing without
    --repair.  Ends with 1 if something is wrong.  Leftovers of a crash are not: they are listed,
    and do no harm.
    """
    wrong = 0
    for line in administer(config, root, "fsck", deep=deep, repair=repair):
        if "finding" in line:
            click.echo(shown(line["finding"]))
        if "summary" in line:
            summary = line["summary"]
            wrong = summary["wrong"]
            looked = ", ".join(f"{count} {what}" for what, count in summary["looked_at"].items())
            click.echo(f"{wrong} wrong, {summary['leftovers']} left over; looked at {looked}")
    if wrong:
        sys.exit(WRONG)


@click.command()
@config_file
@root_directory
@told_in_one_line
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


def shown(finding: Mapping[str, Any]) -> str:
    """A finding in one line."""
    kind = " (left over)" if finding["leftover"] else ""
    line = (
        f"{finding['invariant']}{kind} {finding['what']}: "
        f"found {finding['found']}, expected {finding['expected']}"
    )
    if finding["affects"]:
        line += f"; affects {', '.join(finding['affects'])}"
    if finding["repaired"]:
        line += f" -> {finding['repaired']}"
    return line
