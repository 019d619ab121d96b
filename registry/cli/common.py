"""Common parts of the commands: options, errors and exit status."""

import os
import sys
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn, ParamSpec

import click

from oci.errors import OCIError
from registry import offline
from registry.config import Settings, SettingsInvalid, load_settings
from registry.errors import Absent, CommandRefused, Conflict, StartupError

P = ParamSpec("P")

REFUSED = 1
ABSENT = 3
CONFLICT = 4

config_file = click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A TOML file of settings; config.example.toml shows every one.",
)
root_directory = click.option(
    "--root", metavar="DIR", help="The root directory of the registry's data."
)


def handle_errors(command: Callable[P, None]) -> Callable[P, None]:
    """Turn errors into one line and exit status 1, instead of a traceback."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except SettingsInvalid as error:
            exit_with_errors(*error.problems)
        except Absent as error:
            exit_with_errors(str(error), status=ABSENT)
        except Conflict as error:
            exit_with_errors(str(error), status=CONFLICT)
        except (StartupError, CommandRefused, OCIError) as error:
            exit_with_errors(str(error))
        except BrokenPipeError:
            raise  # the reader of stdout is gone: click exits quietly
        except OSError as error:
            exit_with_errors(_format_os_error(error))

    return run


def _format_os_error(error: OSError) -> str:
    what = error.strerror or str(error)
    return what if error.filename is None else f"{error.filename}: {what}"


def exit_with_errors(*problems: str, status: int = REFUSED) -> NoReturn:
    for problem in problems:
        click.echo(f"Error: {problem}", err=True)
    sys.exit(status)


def load(config: Path | None, flags: dict[str, str]) -> Settings:
    return load_settings(config, os.environ, flags)


def administer(
    config: Path | None, root: str | None, command: str, **arguments: Any
) -> Iterator[dict[str, Any]]:
    """Run an administrative command, whether the registry runs or not; yields its documents.

    An argument of None counts as missing.
    """
    settings = load(config, {} if root is None else {"storage.root": root})
    given = {key: value for key, value in arguments.items() if value is not None}
    yield from offline.administer(settings, command, given)


def format_duration(seconds: float) -> str:
    """Format a duration in whole hours, or else in seconds.

    >>> format_duration(259_200), format_duration(90)
    ('72 h', '90 s')
    """
    hours, rest = divmod(seconds, 3600)
    return f"{hours:.0f} h" if hours and not rest else f"{seconds:g} s"
