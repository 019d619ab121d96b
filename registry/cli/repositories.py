"""registry repo: what there is, how large it is, and how it goes."""

from pathlib import Path

import click

from registry.cli.common import administer, config_file, root_directory, told_in_one_line


@click.group()
def repo() -> None:
    """List, measure and delete repositories."""


@repo.command("list")
@config_file
@root_directory
@told_in_one_line
def show(config: Path | None, root: str | None) -> None:
    """List the repositories."""
    for line in administer(config, root, "repo list"):
        click.echo(line["name"])
