"""registry upload: list and cancel open uploads."""

from pathlib import Path

import click

from registry.cli.common import (
    administer,
    config_file,
    format_duration,
    handle_errors,
    root_directory,
)
from registry.cli.repositories import format_time


@click.group()
def upload() -> None:
    """List and cancel open uploads."""


@upload.command("list")
@config_file
@root_directory
@handle_errors
def show(config: Path | None, root: str | None) -> None:
    """List the open uploads, oldest first: id, repository, identity, address, bytes, times."""
    for line in administer(config, root, "upload list"):
        click.echo(
            f"{line['id']}  {line['repository']}  {line['identity']}  {line['address'] or '-'}  "
            f"{line['bytes']} bytes, since {format_time(line['created_at'])}, "
            f"idle for {format_duration(line['idle_ms'] // 1000)}"
        )


@upload.command()
@config_file
@root_directory
@click.option("--address", metavar="ADDRESS", help="Cancel the uploads of one address, as listed.")
@click.option("--all", "every", is_flag=True, help="Cancel every open upload.")
@click.argument("ids", metavar="[ID]...", nargs=-1)
@handle_errors
def cancel(
    config: Path | None, root: str | None, address: str | None, every: bool, ids: tuple[str, ...]
) -> None:
    """Cancel uploads, and delete the bytes received.

    A client that is pushing one is refused, and may begin again.
    """
    if not ids and address is None and not every:
        raise click.UsageError("name the uploads to cancel, or give --address or --all")
    count = 0
    chosen = {"ids": list(ids), "address": address, "every": every}
    for line in administer(config, root, "upload cancel", **chosen):
        click.echo(f"{line['id']} of {line['repository']} is cancelled")
        count += 1
    if not ids:
        click.echo(f"{count} uploads are cancelled")
