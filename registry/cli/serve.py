"""registry serve, check-config."""

from pathlib import Path

import click

from registry import app
from registry.cli.common import config_file, handle_errors, load, root_directory
from registry.config import Address


def _check_listen(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> str | None:
    if value is not None:
        try:
            Address.parse(value)
        except ValueError as error:
            raise click.BadParameter(f"{value!r}: {error}") from None
    return value


@click.command()
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
    help="What anyone may do who can connect; nothing by default.",
)
@click.option(
    "--plain-http",
    is_flag=True,
    help="Listen beyond this machine without TLS: passwords can be read on the way.",
)
@handle_errors
def serve(
    config: Path | None,
    root: str | None,
    listen: str | None,
    anonymous: str | None,
    plain_http: bool,
) -> None:
    """Serve the registry until SIGTERM or SIGINT."""
    flags = {
        "storage.root": root,
        "server.listen": listen,
        "access.anonymous": anonymous,
        "server.plain_http": "true" if plain_http else None,
    }
    app.serve(load(config, {key: text for key, text in flags.items() if text is not None}))


@click.command("check-config")
@config_file
@handle_errors
def check_config(config: Path | None) -> None:
    """Check a file of settings and the environment, and report every mistake in them."""
    settings = load(config, {})
    app.check_exposure(settings)
    app.certificate_of(settings)
    access = app.describe_access(settings)
    click.echo(f"The settings are good: on {settings.server.listen}, {access}.")
