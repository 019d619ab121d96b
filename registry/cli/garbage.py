"""registry gc, undelete: collect garbage, and undelete content."""

from pathlib import Path
from typing import Any

import click

from registry.cli.common import (
    administer,
    config_file,
    format_duration,
    handle_errors,
    root_directory,
)

# Wording for a real run and for a dry run.
_RUN_WORDS = ("", "moved to the trash", "removed", "ended", "are free again")
_DRY_RUN_WORDS = (
    "would be ",
    "would move to the trash",
    "would be removed",
    "would end",
    "would be free",
)


@click.command()
@config_file
@root_directory
@click.option("--dry-run", is_flag=True, help="Report what a pass would do, and change nothing.")
@click.option(
    "--all-orphans",
    is_flag=True,
    help="Remove files without a row even if they are many, as after the loss of a database.",
)
@handle_errors
def gc(config: Path | None, root: str | None, dry_run: bool, all_orphans: bool) -> None:
    """Collect garbage now; clients may push and pull meanwhile.

    Untagging deletes no manifest: delete manifests or whole repositories, or set
    gc.untagged_after_days.  Recently pushed and deleted content is kept for a while.
    """
    # An older server may not know this argument.
    given = {"all_orphans": True} if all_orphans else {}
    for report in administer(config, root, "gc", dry_run=dry_run, **given):
        click.echo(format_report(report, _DRY_RUN_WORDS if dry_run else _RUN_WORDS))


def format_report(report: dict[str, int], words: tuple[str, str, str, str, str]) -> str:
    """Format a report: one line for each kind of content, and the freed bytes."""
    collected, moved, removed, ended, free = words
    lines = [
        f"{report['manifests']} untagged manifests {collected}collected",
        f"{report['blobs']} blobs that nothing needs {moved}, {report['blob_bytes']} bytes",
        f"{report['purged']} files of the trash {removed}, {report['purged_bytes']} bytes",
        f"{report['uploads']} uploads {ended}, {report['upload_bytes']} bytes",
        f"{report['orphans']} files without a row {removed}, {report['orphan_bytes']} bytes",
    ]
    if report["repositories"]:
        lines.insert(0, f"{report['repositories']} deleted repositories {removed}")
    if report.get("kept_orphans"):
        lines.append(
            f"{report['kept_orphans']} files without a row, {report['kept_orphan_bytes']} bytes, "
            "are kept, because they are many: if this is the right database for them, "
            "`registry gc --all-orphans` removes them"
        )
    if report.get("failed"):
        lines.append(f"{report['failed']} files could not be removed; the log says why")
    if report["unknown_files"]:
        lines.append(f"{report['unknown_files']} unknown files: ignored")
    lines.append(f"{report['freed_bytes']} bytes {free}")
    if report["freed_bytes"] == 0:
        lines.append(format_retention(report["pushed_ms"] / 1000, report["deleted_ms"] / 1000))
    return "\n".join(lines)


def format_retention(pushed: float, deleted: float) -> str:
    """Explain, after a pass that freed nothing, how long content is kept."""
    line = f"Pushed content is kept for up to {format_duration(pushed)} of the server's running"
    if deleted:
        line += (
            f"; deleted or collected content, for {format_duration(deleted)} more, to be undeleted"
        )
    return f"{line} (gc.* in the settings)."


@click.command()
@config_file
@root_directory
@click.argument("what", metavar="DIGEST|NAME:TAG")
@handle_errors
def undelete(config: Path | None, root: str | None, what: str) -> None:
    """Undelete a blob, a manifest or a tag that was deleted or collected."""
    for result in administer(config, root, "undelete", what=what):
        click.echo(format_undelete(result))


def format_undelete(result: dict[str, Any]) -> str:
    lines = [f"manifest {digest} is back" for digest in result["manifests"]]
    lines += [f"blob {digest} is back" for digest in result["blobs"]]
    lines += [f"tag {tag} is back" for tag in result["tags"]]
    lines += [
        f"tag {tag} points elsewhere by now, and was left alone" for tag in result["skipped_tags"]
    ]
    return "\n".join(lines) or "It was all there already."
