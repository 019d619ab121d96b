"""Entry point of ``registry``: serve, check-config, and the other commands."""

from pathlib import Path
from typing import Any

import click

from registry.cli.backup import backup, restore
from registry.cli.common import config_file, handle_errors, load, root_directory
from registry.cli.garbage import gc, undelete
from registry.cli.integrity import fsck, scrub, unlatch
from registry.cli.repositories import repository, tag
from registry.cli.uploads import upload


def _check_listen(context: click.Context, parameter: click.Parameter, value: str | None) -> Any:
    from registry.config import Address

    if value is not None:
        try:
            Address.parse(value)
        except ValueError as error:
            raise click.BadParameter(f"{value!r}: {error}") from None
    return value


@click.group()
@click.version_option(package_name="slipway", prog_name="registry")
def main() -> None:
    """A private registry for container images and other OCI artifacts."""


@main.command()
@config_file
@root_directory
@click.option(
    "--listen",
    metavar="HOST:PORT",
    callback=_check_listen,
    help="Address to listen on; 127.0.0.1:5000 by default.",
)
@click.option(
    "--anonymous",
    type=click.Choice(["none", "pull", "push"]),
    help="Access of callers without an identity.",
)
@handle_errors
def serve(config: Path | None, root: str | None, listen: str | None, anonymous: str | None) -> None:
    """Serve the registry until SIGTERM or SIGINT."""
    flags = {"storage.root": root, "server.listen": listen, "access.anonymous": anonymous}
    settings = load(config, {key: text for key, text in flags.items() if text is not None})

    from registry.app import serve

    serve(settings)


@main.command("check-config")
@config_file
@handle_errors
def check_config(config: Path | None) -> None:
    """Check a file of settings and the environment, and report every mistake in them."""
    settings = load(config, {})

    from registry.app import policy_of

    click.echo(f"The settings are good: on {settings.server.listen}, {policy_of(settings)}.")


main.add_command(fsck)
main.add_command(scrub)
main.add_command(backup)
main.add_command(restore)
main.add_command(unlatch)
main.add_command(gc)
main.add_command(undelete)
main.add_command(repository)
main.add_command(tag)
main.add_command(upload)
