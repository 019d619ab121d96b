"""Apply ``import --change``: Dockerfile instructions.

https://docs.docker.com/reference/cli/docker/image/import/
"""

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from runner.errors import BadRequest

SHELL = ("/bin/sh", "-c")


@dataclass(frozen=True, slots=True)
class ProcessDefaults:
    """An image's process defaults."""

    env: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    user: str = ""
    working_dir: str = ""
    labels: Mapping[str, str] | None = None
    exposed_ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    stop_signal: str = ""


def apply_changes(changes: Sequence[str]) -> ProcessDefaults:
    """Apply the changes in order; BadRequest names an invalid one."""
    defaults = ProcessDefaults()
    for change in changes:
        instruction, _, rest = change.strip().partition(" ")
        rest = rest.strip()
        apply = INSTRUCTIONS.get(instruction.upper())
        if apply is None:
            known = ", ".join(INSTRUCTIONS)
            raise BadRequest(f"{instruction} is not a valid change: expected one of {known}")
        if not rest:
            raise BadRequest(f"{instruction}: found nothing after it, expected its arguments")
        try:
            defaults = apply(defaults, rest)
        except ValueError as error:
            raise BadRequest(f"{change}: {error}") from error
    return defaults


def _command(text: str) -> tuple[str, ...]:
    """Parse the exec form, a JSON array of strings, or else the shell form."""
    try:
        words = json.loads(text)
    except (ValueError, RecursionError):
        words = None
    if isinstance(words, list) and all(isinstance(word, str) for word in words):
        return tuple(words)
    return (*SHELL, text)


def _pairs(text: str) -> dict[str, str]:
    """``key=value …`` with quotes, or the old ``key value``."""
    words = shlex.split(text)
    if words and "=" not in words[0]:
        key, _, value = text.partition(" ")
        return {key: value.strip()}
    pairs = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not (key and equals):
            raise ValueError(f"found {word!r}, expected key=value")
        pairs[key] = value
    return pairs


def _list(text: str) -> tuple[str, ...]:
    words = _command(text)
    return tuple(shlex.split(text)) if words[:2] == SHELL else words


def _cmd(defaults: ProcessDefaults, text: str) -> ProcessDefaults:
    return replace(defaults, cmd=_command(text))


def _entrypoint(defaults: ProcessDefaults, text: str) -> ProcessDefaults:
    return replace(defaults, entrypoint=_command(text))


def _env(defaults: ProcessDefaults, text: str) -> ProcessDefaults:
    pairs = dict(pair.split("=", 1) for pair in defaults.env) | _pairs(text)
    return replace(defaults, env=tuple(f"{key}={value}" for key, value in pairs.items()))


def _label(defaults: ProcessDefaults, text: str) -> ProcessDefaults:
    return replace(defaults, labels={**(defaults.labels or {}), **_pairs(text)})


def _workdir(defaults: ProcessDefaults, text: str) -> ProcessDefaults:
    base = defaults.working_dir or "/"
    path = text if text.startswith("/") else f"{base.rstrip('/')}/{text}"
    return replace(defaults, working_dir=path)


def _user(defaults: ProcessDefaults, text: str) -> ProcessDefaults:
    return replace(defaults, user=text)


def _expose(defaults: ProcessDefaults, text: str) -> ProcessDefaults:
    ports = []
    for word in text.split():
        number, _, protocol = word.partition("/")
        if not (number.isascii() and number.isdigit() and 0 < int(number) < 65536):
            raise ValueError(f"found port {word!r}, expected 1 to 65535")
        if protocol not in ("", "tcp", "udp", "sctp"):
            raise ValueError(f"found protocol {protocol!r}, expected tcp, udp or sctp")
        ports.append(f"{int(number)}/{protocol or 'tcp'}")
    return replace(defaults, exposed_ports=(*defaults.exposed_ports, *ports))


def _volume(defaults: ProcessDefaults, text: str) -> ProcessDefaults:
    return replace(defaults, volumes=(*defaults.volumes, *_list(text)))


def _stop_signal(defaults: ProcessDefaults, text: str) -> ProcessDefaults:
    return replace(defaults, stop_signal=text)


INSTRUCTIONS: Mapping[str, Callable[[ProcessDefaults, str], ProcessDefaults]] = {
    "CMD": _cmd,
    "ENTRYPOINT": _entrypoint,
    "ENV": _env,
    "EXPOSE": _expose,
    "LABEL": _label,
    "STOPSIGNAL": _stop_signal,
    "USER": _user,
    "VOLUME": _volume,
    "WORKDIR": _workdir,
}
