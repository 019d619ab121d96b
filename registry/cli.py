"""The command: serve, check-config.

Each command imports what it needs when it runs, so that ``registry --help`` is quick.
"""

import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, ParamSpec

import click

if TYPE_CHECKING:
    from registry.config import Settings

P = ParamSpec("P")

REFUSED = 1


def told_in_one_line(command: Callable[P, None]) -> Callable[P, None]:
    """End with one line on what is wrong, and not with a traceback."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        from registry.config import SettingsInvalid
        from registry.errors import StartupError

        try:
            command(*args, **kwargs)
        except SettingsInvalid as error:
            _refuse(*error.problems)
        except StartupError as error:
            _refuse(str(error))

    return run


def _refuse(*problems: str) -> NoReturn:
    for problem in problems:
        click.echo(f"Error: {problem}", err=True)
    sys.exit(REFUSED)


def _check_listen(context: click.Context, parameter: click.Parameter, value: str | None) -> Any:
    from registry.config import Address

    if value is not None:
        try:
            Address.parse(value)
        except ValueError as error:
            raise click.BadParameter(f"{value!r}: {error}") from None
    return value


config_file = click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A TOML file of settings; config.example.toml shows every one.",
)


@click.group()
@click.version_option(package_name="slipway", prog_name="registry")
def main() -> None:
    """A private registry for container images and other OCI artifacts."""


@main.command()
@config_file
@click.option("--root", metavar="DIR", help="The directory that holds everything.")
@click.option(
    "--listen",
    metavar="HOST:PORT",
    callback=_check_listen,
    help="Where to listen; 127.0.0.1:5000 by default.",
)
@click.option(
    "--anonymous",
    type=click.Choice(["none", "pull", "push"]),
    help="What callers without an identity may do.",
)
@told_in_one_line
def serve(config: Path | None, root: str | None, listen: str | None, anonymous: str | None) -> None:
    """Serve the registry until SIGTERM or SIGINT."""
    flags = {"storage.root": root, "server.listen": listen, "access.anonymous": anonymous}
    settings = _load(config, {key: text for key, text in flags.items() if text is not None})

    from registry.app import serve

    serve(settings)


@main.command("check-config")
@config_file
@told_in_one_line
def check_config(config: Path | None) -> None:
    """Check a file of settings and the environment, and report every mistake in them."""
    settings = _load(config, {})

    from registry.app import policy_of

    click.echo(f"The settings are good: on {settings.server.listen}, {policy_of(settings)}.")


def _load(config: Path | None, flags: dict[str, str]) -> "Settings":
    from registry.config import load_settings

    return load_settings(config, os.environ, flags)
