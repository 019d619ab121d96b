"""RunnerSettings: read from TOML, environment and flags, all mistakes reported at once."""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from runner.errors import RunnerError

DEFAULT_ROOT = Path("/var/lib/slipway")
DEFAULT_SOCKET = Path("/run/slipway/runner.sock")
LOG_LEVELS = ("debug", "info", "warning", "error")


class InvalidSettings(RunnerError):
    """One sentence for each mistake in the settings, with its key."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


@dataclass(frozen=True, slots=True)
class RunnerSettings:
    """What the daemon is told at its start.

    ``root`` holds what must outlive a reboot, ``run_dir`` what must not.
    ``insecure_registries`` may be spoken to without TLS; loopback addresses always may.
    ``auth_hosts`` are hosts that a registry may have give its tokens, besides itself.
    """

    root: Path = DEFAULT_ROOT
    run_dir: Path = DEFAULT_SOCKET.parent
    socket: Path = DEFAULT_SOCKET
    socket_group: str | None = None
    default_registry: str = "127.0.0.1:5000"
    insecure_registries: tuple[str, ...] = ()
    auth_hosts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    runtime: str = "runc"
    monitor: str = "conmon"
    log_level: str = "info"
    parallel_downloads: int = 4
    stop_timeout_seconds: int = 10

    @classmethod
    def load(cls, file: Path | None, environ: Mapping[str, str], flags: Mapping[str, Any]) -> Self:
        """Flags over ``RUNNER_…`` over the file over the defaults; InvalidSettings lists mistakes.

        Without ``run_dir``, the socket's directory is it.
        """
        mistakes: list[str] = []
        said = _from_file(file, mistakes) | _from_environment(environ)
        said |= {key: (f"--{key.replace('_', '-')}", value) for key, value in flags.items()}
        values: dict[str, Any] = {}
        for key, (source, value) in said.items():
            if key not in _KEYS:
                mistakes.append(f"{source}: no such setting")
                continue
            try:
                values[key] = _KEYS[key](value)
            except ValueError as error:
                mistakes.append(f"{source}: {error}")
        if mistakes:
            raise InvalidSettings(mistakes)
        if "socket" in values:
            values.setdefault("run_dir", values["socket"].parent)
        return cls(**values)


def _from_file(file: Path | None, mistakes: list[str]) -> dict[str, tuple[str, Any]]:
    if file is None:
        return {}
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        mistakes.append(f"{file}: {reason}")
        return {}
    # One file may configure both programs: the runner's settings are its [runner] table.
    table = document.get("runner", {})
    if not isinstance(table, dict):
        mistakes.append(f"{file}: runner: expected a table, found {table!r}")
        return {}
    return {key: (f"{file}: runner.{key}", value) for key, value in table.items()}


def _from_environment(environ: Mapping[str, str]) -> dict[str, tuple[str, Any]]:
    names = {f"RUNNER_{key.upper()}": key for key in _KEYS}
    return {names[name]: (name, value) for name, value in environ.items() if name in names}


def _path(value: Any) -> Path:
    if not isinstance(value, str | Path) or not Path(value).is_absolute():
        raise ValueError(f"expected an absolute path, found {str(value)!r}")
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


_KEYS: Mapping[str, Callable[[Any], Any]] = {
    "root": _path,
    "run_dir": _path,
    "socket": _socket,
    "socket_group": _text,
    "default_registry": _host,
    "insecure_registries": _hosts,
    "auth_hosts": _auth_hosts,
    "runtime": _text,
    "monitor": _text,
    "log_level": _log_level,
    "parallel_downloads": _at_least_one,
    "stop_timeout_seconds": _count,
}
