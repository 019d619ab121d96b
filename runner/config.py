"""RunnerSettings: read from TOML, environment and flags; all errors reported at once."""

import difflib
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Self, get_type_hints

from runner.errors import RunnerError

DEFAULT_ROOT = Path("/var/lib/slipway")
DEFAULT_SOCKET = Path("/run/slipway/runner.sock")
LOG_LEVELS = ("debug", "info", "warning", "error")


class InvalidSettings(RunnerError):
    """The settings are invalid; one sentence for each error, with its key."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


def _path(value: Any) -> Path:
    if not isinstance(value, str | Path) or not Path(value).is_absolute():
        raise ValueError(f"expected an absolute path, found {str(value)!r}")
    if "\0" in str(value):
        raise ValueError(f"expected a path without NUL characters, found {str(value)!r}")
    return Path(value)


def _socket(value: Any) -> Path:
    path = _path(value)
    # sockaddr_un holds 108 bytes, the last of them a NUL.
    if len(bytes(path)) > 107:
        raise ValueError(f"a socket's path has at most 107 bytes, {str(path)!r} has more")
    return path


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"expected a string, found {value!r}")
    return value


def _host(value: Any) -> str:
    text = _text(value)
    if "/" in text or any(character.isspace() for character in text):
        raise ValueError(f"expected host or host:port, found {text!r}")
    return text


def _hosts(value: Any) -> tuple[str, ...]:
    found = value.split(",") if isinstance(value, str) else value
    if not isinstance(found, list | tuple):
        raise ValueError(f"expected a list of hosts, found {value!r}")
    return tuple(_host(item) for item in found)


def _auth_hosts(value: Any) -> Mapping[str, tuple[str, ...]]:
    """A table of lists; in the environment ``registry=host``, several separated by commas."""
    if isinstance(value, str):
        table: dict[str, list[str]] = {}
        for pair in value.split(","):
            registry, _, host = pair.partition("=")
            table.setdefault(registry.strip(), []).append(host.strip())
        value = table
    if not isinstance(value, Mapping):
        raise ValueError(f"expected a table of registries and hosts, found {value!r}")
    return {_host(registry): _hosts(hosts) for registry, hosts in value.items()}


def _count(value: Any) -> int:
    text = str(value)
    if isinstance(value, bool) or not (text.isascii() and text.isdigit()) or len(text) > 6:
        raise ValueError(f"expected a number, found {value!r}")
    return int(text)


def _at_least_one(value: Any) -> int:
    count = _count(value)
    if count < 1:
        raise ValueError("expected at least 1, found 0")
    return count


def _log_level(value: Any) -> str:
    if value not in LOG_LEVELS:
        raise ValueError(f"expected one of {', '.join(LOG_LEVELS)}, found {value!r}")
    return str(value)


@dataclass(frozen=True, slots=True)
class RunnerSettings:
    """The daemon's settings.

    ``root`` holds persistent state, ``run_dir`` state that a reboot may lose.
    ``insecure_registries`` may use plain HTTP; loopback addresses always may.
    ``auth_hosts`` maps a registry to the other hosts allowed as its token servers.
    """

    # Each is annotated with its parser, whose ValueError states the expected value.
    root: Annotated[Path, _path] = DEFAULT_ROOT
    run_dir: Annotated[Path, _path] = DEFAULT_SOCKET.parent
    socket: Annotated[Path, _socket] = DEFAULT_SOCKET
    socket_group: Annotated[str | None, _text] = None
    default_registry: Annotated[str, _host] = "127.0.0.1:5000"
    insecure_registries: Annotated[tuple[str, ...], _hosts] = ()
    auth_hosts: Annotated[Mapping[str, tuple[str, ...]], _auth_hosts] = field(default_factory=dict)
    runtime: Annotated[str, _text] = "runc"
    monitor: Annotated[str, _text] = "conmon"
    log_level: Annotated[str, _log_level] = "info"
    parallel_downloads: Annotated[int, _at_least_one] = 4
    stop_timeout_seconds: Annotated[int, _count] = 10

    @classmethod
    def load(cls, file: Path | None, environ: Mapping[str, str], flags: Mapping[str, Any]) -> Self:
        """Flags over ``RUNNER_…`` over the file over the defaults; InvalidSettings lists mistakes.

        ``run_dir`` defaults to the socket's directory.
        """
        mistakes: list[str] = []
        readers = _readers(cls)
        given = _from_file(file, mistakes) | _from_environment(environ, readers)
        given |= {key: (f"--{key.replace('_', '-')}", value) for key, value in flags.items()}
        values: dict[str, Any] = {}
        for key, (source, value) in given.items():
            if key not in readers:
                near = difflib.get_close_matches(key, readers, n=1)
                mistakes.append(
                    f"{source}: no such setting" + (f" (is it {near[0]}?)" if near else "")
                )
                continue
            try:
                values[key] = readers[key](value)
            except ValueError as error:
                mistakes.append(f"{source}: {error}")
        if mistakes:
            raise InvalidSettings(mistakes)
        if "socket" in values:
            values.setdefault("run_dir", values["socket"].parent)
        return cls(**values)


def _readers(settings: type[RunnerSettings]) -> dict[str, Callable[[Any], Any]]:
    hints = get_type_hints(settings, include_extras=True)
    return {name: hint.__metadata__[0] for name, hint in hints.items()}


def _from_file(file: Path | None, mistakes: list[str]) -> dict[str, tuple[str, Any]]:
    if file is None:
        return {}
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        mistakes.append(f"{file}: {reason}")
        return {}
    except RecursionError:
        mistakes.append(f"{file}: not TOML: nested too deeply")
        return {}
    # One file may configure both programs: read only the [runner] table.
    table = document.get("runner", {})
    if not isinstance(table, dict):
        mistakes.append(f"{file}: runner: expected a table, found {table!r}")
        return {}
    return {key: (f"{file}: runner.{key}", value) for key, value in table.items()}


def _from_environment(
    environ: Mapping[str, str], keys: Iterable[str]
) -> dict[str, tuple[str, Any]]:
    names = {f"RUNNER_{key.upper()}": key for key in keys}
    return {names[name]: (name, value) for name, value in environ.items() if name in names}
