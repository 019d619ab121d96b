"""registry backup, restore."""

import sys
from pathlib import Path

import click

from registry import offline
from registry.cli.common import administer, config_file, handle_errors, load, root_directory
from registry.cli.integrity import MARK, WRONG, format_finding

# The hint after a backup of a registry that has lost files.
NEXT_STEP = f"{MARK} Push the content again, then back up again."


@click.command()
@config_file
@root_directory
@click.option("--copy", is_flag=True, help="Copy files instead of hard-linking them.")
@click.argument("directory", type=click.Path(path_type=Path))
@handle_errors
def backup(config: Path | None, root: str | None, copy: bool, directory: Path) -> None:
    """Back up a registry into DIRECTORY, while it is in use or while it is stopped.

    Only new files are copied into a directory that has an earlier backup.  On the same file system
    files are hard-linked, which takes no space, and protects from mistakes but not from a failing
    disk.

    Exit status 1 means that the registry has lost a blob or a part of one: everything else is
    backed up.
    """
    whole = str(directory.absolute())
    wrong = 0
    for line in administer(config, root, "backup", directory=whole, copy=copy):
        if "finding" in line:
            click.echo(format_finding(line["finding"]))
        if "summary" in line:
            summary = line["summary"]
            wrong = summary["wrong"]
            lost = f"; {wrong} blobs are missing or cut short" if wrong else ""
            click.echo(
                f"{summary['blobs']} files of {summary['bytes']} bytes are in {directory}, "
                f"{summary['new']} new{lost}"
            )
    if wrong:
        click.echo(NEXT_STEP, err=True)
        sys.exit(WRONG)


@click.command()
@click.option(
    "--root",
    required=True,
    type=click.Path(path_type=Path),
    help="A new directory, or an empty one.",
)
@click.argument("directory", type=click.Path(path_type=Path, exists=True, file_okay=False))
@handle_errors
def restore(root: Path, directory: Path) -> None:
    """Restore the backup in DIRECTORY into a new root, and check every byte of it.

    Exit status 1 means that the check found errors.  An interrupted restore continues when the
    command is repeated.  Serve the restored registry with `registry serve --root PATH`.
    """
    settings = load(None, {"storage.root": str(root)})
    wrong = 0
    for line in offline.restore(settings, directory):
        if "finding" in line:
            click.echo(format_finding(line["finding"]))
        if "summary" in line:
            wrong = line["summary"]["wrong"]
            files = line["summary"]["looked_at"]["files"]
            click.echo(f"restored {files} files into {root}, {wrong} wrong")
    if wrong:
        sys.exit(WRONG)
