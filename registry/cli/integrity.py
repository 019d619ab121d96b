"""registry fsck, scrub, unlatch: check and repair the registry, and allow writes again."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from registry.cli.common import administer, config_file, handle_errors, root_directory

WRONG = 1
# Hints after the last finding.
MARK = "`registry fsck --repair` marks corrupt content, so that it is not served any more."
NEXT_STEP = "Push corrupt content again to replace it, or restore a backup."


@click.command()
@config_file
@root_directory
@click.option("--deep", is_flag=True, help="Read and hash every stored byte.")
@click.option(
    "--repair", is_flag=True, help="Repair findings that can be repaired without losing data."
)
@handle_errors
def fsck(config: Path | None, root: str | None, deep: bool, repair: bool) -> None:
    """Compare the database's rows with the files and with each other.

    Checks a running or a stopped registry, and changes nothing without --repair.  Exit status 1
    means that a rule is broken.  Files that a crash left are listed as harmless, and do not count.
    """
    wrong = 0
    for line in administer(config, root, "fsck", deep=deep, repair=repair):
        if "finding" in line:
            click.echo(format_finding(line["finding"]))
        if "summary" in line:
            summary = line["summary"]
            wrong = summary["wrong"]
            looked = ", ".join(f"{count} {what}" for what, count in summary["looked_at"].items())
            click.echo(f"{wrong} wrong, {summary['harmless']} harmless; looked at {looked}")
    if wrong:
        click.echo(NEXT_STEP if repair else f"{MARK} {NEXT_STEP}", err=True)
        sys.exit(WRONG)


@click.command()
@config_file
@root_directory
@click.option("--rate", type=click.IntRange(min=1024), metavar="BYTES", help="Bytes per second.")
@click.option(
    "--max-duration",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Stop after this time; the next scrub continues from there.",
)
@handle_errors
def scrub(
    config: Path | None, root: str | None, rate: int | None, max_duration: float | None
) -> None:
    """Read every blob and manifest, and mark what is corrupt.

    Marked content is not served until it is pushed again.  Exit status 1 means that newly corrupt
    content was found; `registry fsck` lists all marked content.
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
        click.echo(NEXT_STEP, err=True)
        sys.exit(WRONG)


@click.command()
@config_file
@root_directory
@handle_errors
def unlatch(config: Path | None, root: str | None) -> None:
    """Allow writing again after the disk has failed.

    A single failure of the disk makes the registry read-only: check the disk first, then run
    `registry fsck --deep`.  The command is refused while no file can be written.
    """
    for line in administer(config, root, "unlatch"):
        if line["reason"] is None:
            click.echo("Nothing to do: the registry was not read-only.")
        else:
            click.echo(f"The registry takes writes again.  It was read-only for: {line['reason']}")


def format_finding(finding: Mapping[str, Any]) -> str:
    """Format a finding in one line."""
    # An older server sends no rule.
    words = [finding["rule"]] if "rule" in finding else []
    words += ["harmless"] if finding["harmless"] else []
    line = (
        f"{finding['invariant']} ({'; '.join(words)}) {finding['what']}: "
        f"found {finding['found']}, expected {finding['expected']}"
    )
    if finding["affects"]:
        line += f"; affects {', '.join(finding['affects'])}"
    if finding["repaired"]:
        line += f" -> {finding['repaired']}"
    return line
