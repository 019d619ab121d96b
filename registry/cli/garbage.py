"""registry gc: give back what nothing names."""

from pathlib import Path

import click

from registry.cli.common import administer, config_file, root_directory, told_in_one_line


@click.command()
@config_file
@root_directory
@told_in_one_line
def gc(config: Path | None, root: str | None) -> None:
    """Collect garbage now; clients may push and pull meanwhile."""
    for tally in administer(config, root, "gc"):
        click.echo(report(tally))


def report(tally: dict[str, int]) -> str:
    """One line for each kind of thing that went, and the bytes that came back."""
    lines = [
        f"{tally['manifests']} untagged manifests collected",
        f"{tally['blobs']} blobs that nothing needs moved to the trash, "
        f"{tally['blob_bytes']} bytes",
        f"{tally['purged']} files of the trash removed, {tally['purged_bytes']} bytes",
        f"{tally['uploads']} uploads ended, {tally['upload_bytes']} bytes",
        f"{tally['orphans']} files without a row removed, {tally['orphan_bytes']} bytes",
    ]
    if tally["repositories"]:
        lines.insert(0, f"{tally['repositories']} deleted repositories cleared")
    if tally["strangers"]:
        lines.append(f"{tally['strangers']} files that are none of ours left alone")
    return "\n".join([*lines, f"{tally['freed_bytes']} bytes are free again"])
