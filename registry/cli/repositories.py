"""registry repo, tag: list, measure, delete and undelete repositories; show tag history."""

from datetime import UTC, datetime
from pathlib import Path

import click

from registry.cli.common import (
    administer,
    config_file,
    format_duration,
    handle_errors,
    root_directory,
)


@click.group("repo")
def repository() -> None:
    """List, measure and delete repositories."""


@repository.command("list")
@config_file
@root_directory
@handle_errors
def show(config: Path | None, root: str | None) -> None:
    """List the repositories."""
    for line in administer(config, root, "repo list"):
        click.echo(line["name"])


@repository.command()
@config_file
@root_directory
@click.argument("name")
@handle_errors
def delete(config: Path | None, root: str | None, name: str) -> None:
    """Delete a repository with everything in it."""
    for line in administer(config, root, "repo delete", name=name):
        seconds = line["undelete_seconds"]
        back = f"; `registry repo undelete {name}` brings it back, for {format_duration(seconds)}"
        click.echo(f"{name} is deleted{back if seconds else ' for good'}")


@repository.command()
@config_file
@root_directory
@click.argument("name")
@handle_errors
def undelete(config: Path | None, root: str | None, name: str) -> None:
    """Undelete a repository."""
    for _ in administer(config, root, "repo undelete", name=name):
        click.echo(f"{name} is back")


@repository.command()
@config_file
@root_directory
@click.argument("reference", metavar="[NAME[:TAG]]", required=False)
@handle_errors
def size(config: Path | None, root: str | None, reference: str | None) -> None:
    """Show exact bytes: total, unique, and shared with other content."""
    name, tag = split(reference)
    for line in administer(config, root, "repo size", name=name, tag=tag):
        click.echo(
            f"{line['name']}  {line['bytes']} bytes: {line['unique']} in blobs of its own, "
            f"{line['shared']} in shared ones ({line['blobs']} blobs), "
            f"{line['manifest_bytes']} in {line['manifests']} manifests"
        )


@click.group()
def tag() -> None:
    """Show the history of tags."""


@tag.command()
@config_file
@root_directory
@click.argument("reference", metavar="NAME[:TAG]")
@handle_errors
def history(config: Path | None, root: str | None, reference: str) -> None:
    """Show every change of a tag: time, identity, old and new digest."""
    name, tag = split(reference)
    for change in administer(config, root, "tag history", name=name, tag=tag):
        if "deletion" in change:
            deletion = change["deletion"]
            who = deletion["identity"]
            click.echo(
                f"{format_time(deletion['at'])}  {who}  {name} was deleted with all its tags"
            )
            continue
        when = format_time(change["at"])
        before, after = change["before"] or "(nothing)", change["after"] or "(deleted)"
        click.echo(f"{when}  {change['identity']}  {change['tag']}  {before} -> {after}")


def format_time(milliseconds: int) -> str:
    """Format a time in UTC.

    >>> format_time(1_800_000_000_000)
    '2027-01-15 08:00:00Z'
    """
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def split(reference: str | None) -> tuple[str | None, str | None]:
    """NAME and TAG of ``NAME[:TAG]``."""
    if reference is None:
        return None, None
    name, _, tag = reference.partition(":")
    return name, tag or None
