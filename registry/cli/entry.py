"""The command tree of ``registry``: a command's module is imported when the command is used.

Most of them import the whole server: ``registry --help`` needs none of it.
"""

import sys
from importlib import import_module
from typing import Any

import click

# Command -> its place under registry.cli, and its summary in `registry --help`.
COMMANDS = {
    "audit": ("audit.audit", "List, export and verify the audit: one row for every change."),
    "backup": ("backup.backup", "Back up a registry into DIRECTORY."),
    "check-config": ("serve.check_config", "Check a file of settings and the environment."),
    "fsck": ("integrity.fsck", "Compare the database's rows with the files."),
    "gc": ("garbage.gc", "Collect garbage now."),
    "grant": ("permissions.grant", "Give and take roles; explain what somebody may do."),
    "group": ("identities.group", "Manage groups and their members."),
    "lock": (
        "permissions.lock",
        "Manage locks: tags that can be created, and never moved.",
    ),
    "repo": ("repositories.repository", "List, measure and delete repositories."),
    "restore": ("backup.restore", "Restore the backup in DIRECTORY into a new root."),
    "robot": ("identities.robot", "Manage robots: accounts of programs."),
    "scrub": ("integrity.scrub", "Read every blob and manifest, and mark what is corrupt."),
    "serve": ("serve.serve", "Serve the registry until SIGTERM or SIGINT."),
    "setup": ("identities.setup", "Make the first user, who owns the registry."),
    "tag": ("repositories.tag", "Show the history of tags."),
    "token": ("identities.token", "Mint, list and revoke the tokens of users and robots."),
    "trust": ("trusts.trust", "Manage trusts: CI pipelines that push without a stored secret."),
    "undelete": ("garbage.undelete", "Undelete a blob, a manifest or a tag."),
    "unlatch": ("integrity.unlatch", "Allow writing again after the disk has failed."),
    "upload": ("uploads.upload", "List and cancel open uploads."),
    "user": ("identities.user", "Manage users."),
}

# A shell's exit status for a command that SIGINT ended.
INTERRUPTED = 130


class Commands(click.Group):
    """The commands in COMMANDS."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(".")
        command: click.Command = getattr(import_module(f"registry.cli.{module}"), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the summaries, without the modules."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in self.list_commands(ctx)])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:  # also in the middle of an import
            click.echo(
                "Interrupted; run the command again to continue or to begin again.", err=True
            )
            sys.exit(INTERRUPTED)
        except ImportError as error:
            if (error.name or "").partition(".")[0] != "uvicorn":
                raise
            raise click.ClickException(
                f"this uvicorn is not one that the registry's server can build on: {error}"
            ) from error


@click.group(cls=Commands)
@click.version_option(package_name="slipway", prog_name="registry")
def main() -> None:
    """A private registry for container images and other OCI artifacts."""
