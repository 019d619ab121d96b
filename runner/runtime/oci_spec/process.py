"""The spec's ``process``: arguments, environment, user, limits.

https://github.com/opencontainers/runtime-spec/blob/main/config.md#process
"""

import posixpath
from collections.abc import Iterable, Mapping
from typing import Any, Final

from oci.image_config import ImageConfig
from runner.errors import BadRequest
from runner.runtime.oci_spec import capabilities
from runner.runtime.oci_spec.host import Host
from runner.runtime.oci_spec.security import SecurityProfile
from runner.runtime.oci_spec.users import User
from runner.schema import ContainerOptions, ExecOptions, Ulimit

DEFAULT_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
INIT_PATH: Final = "/sbin/docker-init"
RLIMITS: Final = frozenset({
    "AS", "CORE", "CPU", "DATA", "FSIZE", "LOCKS", "MEMLOCK", "MSGQUEUE", "NICE", "NOFILE", "NPROC",
    "RSS", "RTPRIO", "RTTIME", "SIGPENDING", "STACK",
})  # fmt: skip


def process(
    image: ImageConfig,
    options: ContainerOptions,
    user: User,
    hostname: str,
    profile: SecurityProfile,
    host: Host,
) -> dict[str, Any]:
    args = arguments(image, options)
    document: dict[str, Any] = {
        "terminal": options.tty,
        "user": user.to_json(),
        "args": [INIT_PATH, "--", *args] if options.init else list(args),
        "env": environment(image, options, hostname),
        "cwd": working_directory(options.working_dir or image.working_dir),
        "capabilities": capabilities.process_sets(profile.capabilities),
        "noNewPrivileges": profile.no_new_privileges,
        "oomScoreAdj": max(options.oom_score_adj or 0, host.lowest_oom_score),
    }
    if options.tty and options.console_size:
        height, width = options.console_size
        document["consoleSize"] = {"height": height, "width": width}
    if limits := rlimits(options, host):
        document["rlimits"] = limits
    if profile.apparmor:
        document["apparmorProfile"] = profile.apparmor
    return document


def arguments(image: ImageConfig, options: ContainerOptions) -> tuple[str, ...]:
    """Entrypoint, then command; BadRequest when neither names a program."""
    entrypoint, command = entrypoint_and_command(image, options)
    args = (*entrypoint, *command)
    if not args or not args[0]:
        raise BadRequest("no command specified: neither the image nor the options name a program")
    return args


def entrypoint_and_command(
    image: ImageConfig, options: ContainerOptions
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The user's entrypoint and command, or else the image's.

    A user's entrypoint drops the image's command.
    """
    if options.entrypoint is not None:
        return _program(options.entrypoint), options.command or ()
    return _program(image.entrypoint), image.cmd if options.command is None else options.command


def _program(entrypoint: tuple[str, ...]) -> tuple[str, ...]:
    """An entrypoint of one empty string means none: so an image or a user clears it."""
    return () if entrypoint == ("",) else entrypoint


def environment(image: ImageConfig, options: ContainerOptions, hostname: str) -> list[str]:
    """Defaults, overridden by the image's, then by the user's; each name once, in first order.

    HOME is set by the runtime, from the container's passwd, for each process.
    """
    defaults = [f"PATH={DEFAULT_PATH}", f"HOSTNAME={hostname}"]
    if options.tty:
        defaults.append("TERM=xterm")
    return merge_environment((*defaults, *image.env), options.env)


def merge_environment(below: Iterable[str], above: Iterable[str]) -> list[str]:
    """Merge environments; entries of ``above`` win, and one without ``=`` removes its name."""
    merged: dict[str, str] = {}
    for entry in below:
        name, equals, _ = entry.partition("=")
        if name and equals:
            merged[name] = entry
    for entry in above:
        name, equals, _ = entry.partition("=")
        if equals:
            merged[name] = entry
        else:
            merged.pop(name, None)
    if any("\0" in entry for entry in merged.values()):
        raise BadRequest("invalid environment: a variable contains a NUL character")
    return list(merged.values())


def working_directory(text: str) -> str:
    """Normalize the working directory; a relative one is below the root.

    BadRequest for one in /proc: ``/proc/self/fd/7`` has led out of containers
    (CVE-2024-21626).
    """
    path = posixpath.normpath("/" + text.lstrip("/"))
    if path == "/proc" or path.startswith("/proc/") or "\0" in path:
        raise BadRequest(f"invalid working directory {text!r}: it must not lie in /proc")
    return path


def rlimits(options: ContainerOptions, host: Host) -> list[dict[str, Any]]:
    """The requested limits, without defaults, clamped to this process's hard limits."""
    return [
        {"type": f"RLIMIT_{name}", "soft": _unsigned(min(soft, cap)), "hard": _unsigned(hard)}
        for name, soft, hard, cap in (_clamped(limit, host) for limit in options.ulimits)
    ]


def rlimit_warnings(options: ContainerOptions, host: Host) -> tuple[str, ...]:
    return tuple(
        f"ulimit {limit.name}: {limit.hard} is above this host's hard limit, used {int(hard)}"
        for limit in options.ulimits
        if (hard := _clamped(limit, host)[2]) < _order(limit.hard)
    )


def exec_process(
    container: Mapping[str, Any], options: ExecOptions, user: User, tty_size: tuple[int, int]
) -> dict[str, Any]:
    if options.privileged:
        raise BadRequest("privileged is not offered: an exec has what its container has")
    below = container["env"]
    if options.tty and not any(entry.startswith("TERM=") for entry in below):
        below = [*below, "TERM=xterm"]
    directory = options.working_dir
    document = {
        **container,
        "terminal": options.tty,
        "user": user.to_json(),
        "args": list(options.command),
        "env": merge_environment(below, options.env),
        "cwd": working_directory(directory) if directory else container["cwd"],
    }
    document.pop("consoleSize", None)
    height, width = options.console_size or tty_size
    if options.tty and height and width:
        document["consoleSize"] = {"height": height, "width": width}
    return document


def _clamped(limit: Ulimit, host: Host) -> tuple[str, float, float, float]:
    """Name, soft limit, hard limit and the cap of both; -1 (no limit) sorts above all numbers."""
    name = limit.name.upper()
    if name not in RLIMITS:
        raise BadRequest(f"invalid ulimit {limit.name!r}: expected one of nofile, nproc, core …")
    cap = min(_order(limit.hard), _order(host.hard_limits.get(name, -1)))
    return name, _order(limit.soft), cap, cap


def _order(value: int) -> float:
    return value if value >= 0 else float("inf")


def _unsigned(value: float) -> int:
    return 2**64 - 1 if value == float("inf") else int(value)
