"""The options of run and create, and the create request built from them.

https://docs.docker.com/reference/cli/docker/container/run/
"""

import os
import posixpath
import re
from argparse import ArgumentTypeError
from collections.abc import Iterable, Mapping
from typing import Any

from runner.cli.arguments import Arguments, Parser, UsageError, nano_cpus, number, size


def add_options(parser: Parser) -> None:
    """Add docker's options for creating a container."""
    _add_process(parser)
    _add_filesystem(parser)
    _add_limits(parser)
    _add_isolation(parser)
    parser.option("--name", metavar="NAME", help="the container's name")
    parser.options("-l", "--label", metavar="KEY=VALUE", help="set a label on the container")
    parser.options("--label-file", metavar="FILE", help="read labels from a file, one a line")
    parser.flag("--rm", help="remove the container when it exits")
    parser.option("--platform", metavar="OS/ARCH", help="platform to pull")
    parser.option(
        "--pull",
        choices=("always", "missing", "never"),
        default="missing",
        help="when to pull the image",
    )
    parser.flag("-q", "--quiet", help="hide pull progress")
    parser.option("--cidfile", metavar="FILE", help="write the container's ID to a new file")


def _add_process(parser: Parser) -> None:
    parser.flag("-i", "--interactive", help="keep stdin open")
    parser.flag("-t", "--tty", help="give the container a terminal")
    parser.options("-e", "--env", metavar="KEY[=VALUE]", help="set an environment variable")
    parser.options("--env-file", metavar="FILE", help="read environment variables from a file")
    parser.option("-w", "--workdir", metavar="DIR", default="", help="the working directory")
    parser.option("-u", "--user", metavar="NAME|UID[:GROUP|GID]", default="", help="the user")
    parser.options("--group-add", metavar="GROUP", help="add a supplementary group")
    parser.option("--entrypoint", metavar="PROGRAM", help="override the image's entrypoint")
    parser.option("-h", "--hostname", metavar="NAME", default="", help="the container's host name")
    parser.flag("--init", help="run an init that forwards signals and reaps processes")
    parser.option("--stop-signal", metavar="SIGNAL", help="the signal that stops the container")
    parser.option(
        "--stop-timeout", metavar="SECONDS", type=number, help="wait before SIGKILL on stop"
    )


def _add_filesystem(parser: Parser) -> None:
    parser.options(
        "-v", "--volume", metavar="[SOURCE:]TARGET[:OPTIONS]", help="mount a directory or volume"
    )
    parser.options(
        "--mount", metavar="type=…,source=…,target=…", help="mount a directory, volume or tmpfs"
    )
    parser.options("--tmpfs", metavar="TARGET[:OPTIONS]", help="mount an empty tmpfs")
    parser.flag("--read-only", help="mount the container's root filesystem read-only")
    parser.option("--shm-size", metavar="BYTES", type=size, help="the size of /dev/shm")


def _add_limits(parser: Parser) -> None:
    parser.option("-m", "--memory", metavar="BYTES", type=size, help="memory limit")
    parser.option("--memory-swap", metavar="BYTES", type=size, help="memory and swap; -1: no limit")
    parser.option("--memory-reservation", metavar="BYTES", type=size, help="soft memory limit")
    parser.option("--cpus", metavar="NUMBER", type=nano_cpus, help="number of CPUs, such as 1.5")
    parser.option("-c", "--cpu-shares", metavar="WEIGHT", type=number, help="CPU weight")
    parser.option("--cpuset-cpus", metavar="LIST", default="", help="CPUs to run on, such as 0-3,5")
    parser.option("--cpuset-mems", metavar="LIST", default="", help="memory nodes to use")
    parser.option(
        "--pids-limit", metavar="NUMBER", type=number, help="limit on processes; -1: no limit"
    )
    parser.option("--blkio-weight", metavar="WEIGHT", type=number, help="block I/O weight, 10-1000")
    parser.option(
        "--oom-score-adj", metavar="NUMBER", type=number, help="OOM score adjustment, -1000 to 1000"
    )
    parser.options("--ulimit", metavar="NAME=SOFT[:HARD]", help="a resource limit")
    parser.option("--log-driver", metavar="DRIVER", default="", help="json-file")
    parser.options(
        "--log-opt", metavar="KEY=VALUE", help="log driver option: max-size=20m, max-file=3"
    )


def _add_isolation(parser: Parser) -> None:
    parser.options("--cap-add", metavar="CAPABILITY", help="add a Linux capability, or ALL")
    parser.options("--cap-drop", metavar="CAPABILITY", help="drop a Linux capability, or ALL")
    parser.options(
        "--security-opt",
        metavar="OPTION",
        help="no-new-privileges, seccomp=unconfined, seccomp=FILE",
    )
    parser.option("--network", "--net", metavar="MODE", default="default", help="none or host")
    parser.options("-p", "--publish", metavar="PORTS", help="not in this version: see --network")
    parser.flag("-P", "--publish-all", help="not in this version: see --network")
    parser.options("--add-host", metavar="NAME:IP", help="add a line to /etc/hosts")
    parser.option("--pid", metavar="MODE", default="", help="the PID namespace: host")
    parser.option("--ipc", metavar="MODE", default="", help="the IPC namespace: none, host")
    parser.option("--uts", metavar="MODE", default="", help="the UTS namespace: host")
    parser.option("--cgroupns", metavar="MODE", default="", help="host or private")
    parser.options("--sysctl", metavar="KEY=VALUE", help="a namespaced kernel parameter")


def create_body(args: Arguments, *, attached: bool, environ: Mapping[str, str]) -> dict[str, Any]:
    """Build the Engine API's create body; UsageError for an invalid option."""
    host_config: dict[str, Any] = {
        "AutoRemove": args.rm,
        "ReadonlyRootfs": args.read_only,
        "Init": args.init,
        "NetworkMode": args.network,
        "PidMode": args.pid,
        "IpcMode": args.ipc,
        "UTSMode": args.uts,
        "CgroupnsMode": args.cgroupns,
        # Sent so that the daemon refuses it; the ports do not matter.
        "PortBindings": {text: [] for text in args.publish},
        "PublishAllPorts": args.publish_all,
        "GroupAdd": args.group_add,
        "ExtraHosts": args.add_host,
        "CapAdd": args.cap_add,
        "CapDrop": args.cap_drop,
        "SecurityOpt": [_security_option(option) for option in args.security_opt],
        "Sysctls": dict(_pair("--sysctl", text) for text in args.sysctl),
        "Memory": args.memory,
        "MemorySwap": args.memory_swap,
        "MemoryReservation": args.memory_reservation,
        "NanoCpus": args.cpus,
        "CpuShares": args.cpu_shares,
        "CpusetCpus": args.cpuset_cpus,
        "CpusetMems": args.cpuset_mems,
        "PidsLimit": args.pids_limit,
        "BlkioWeight": args.blkio_weight,
        "OomScoreAdj": args.oom_score_adj,
        "ShmSize": args.shm_size,
        "Ulimits": [_ulimit(text) for text in args.ulimit],
        "Binds": [_bind(text) for text in args.volume if ":" in text],
        "Mounts": [_mount(text) for text in args.mount],
        "LogConfig": _log_config(args),
        "Tmpfs": dict(_target_and_options(text) for text in args.tmpfs),
    }
    stdin = args.interactive
    labels = dict(_pair("--label", text) for text in [*_lines(args.label_file), *args.label])
    return {
        "Image": args.image,
        "Cmd": args.command or None,
        "Entrypoint": None if args.entrypoint is None else [args.entrypoint],
        "Env": environment(args.env, args.env_file, environ),
        "WorkingDir": args.workdir,
        "User": args.user,
        "Hostname": args.hostname,
        "Labels": labels,
        "Tty": args.tty,
        "OpenStdin": stdin,
        "StdinOnce": stdin and attached,
        "AttachStdin": stdin and attached,
        "AttachStdout": attached,
        "AttachStderr": attached,
        "StopSignal": args.stop_signal,
        "StopTimeout": args.stop_timeout,
        "Volumes": {text: {} for text in args.volume if ":" not in text},
        # Unset options are omitted: the daemon has the defaults.
        "HostConfig": {key: value for key, value in host_config.items() if value not in _UNSET},
    }


_UNSET: tuple[object, ...] = (None, "", [], {}, False)


def environment(env: Iterable[str], files: Iterable[str], environ: Mapping[str, str]) -> list[str]:
    """``--env-file``, overridden by ``--env``; a bare name takes its value from ``environ``."""
    found: dict[str, str] = {}
    for entry in [*_lines(files), *env]:
        name, equals, value = entry.partition("=")
        if not name:
            raise UsageError(f"invalid environment variable {entry!r}: expected KEY=VALUE")
        if equals:
            found[name] = f"{name}={value}"
        elif name in environ:
            found[name] = f"{name}={environ[name]}"
    return list(found.values())


def _lines(files: Iterable[str]) -> list[str]:
    """The files' lines without blank ones and comments, which begin with #."""
    lines: list[str] = []
    for path in files:
        # utf-8-sig: some editors write a byte order mark.
        with open(path, encoding="utf-8-sig") as file:
            stripped = [line.lstrip().rstrip("\r\n") for line in file]
        kept = [line for line in stripped if line and not line.startswith("#")]
        for line in kept:
            name = line.partition("=")[0]
            if any(character.isspace() for character in name):
                raise UsageError(f"{path}: variable {name!r} contains white space, expected none")
        lines += kept
    return lines


def _pair(option: str, text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    if not name:
        raise UsageError(f"{option}: invalid {text!r}: expected KEY=VALUE")
    return name, value


def _bind(text: str) -> str:
    """Make the source of ``SOURCE:TARGET[:OPTIONS]`` absolute if it begins with . or ~."""
    source, rest = text.split(":", 1)
    if source.startswith((".", "~")):
        source = os.path.abspath(os.path.expanduser(source))
    return f"{source}:{rest}"


def _target_and_options(text: str) -> tuple[str, str]:
    target, _, options = text.partition(":")
    return target, options


_MOUNT_KEYS = {
    "type": "Type",
    "source": "Source",
    "src": "Source",
    "target": "Target",
    "dst": "Target",
    "destination": "Target",
}
_OCTAL = re.compile(r"[0-7]{1,5}")
_BOOLEANS = {"": True, "1": True, "true": True, "0": False, "false": False}


def _mount(text: str) -> dict[str, Any]:
    """``type=bind,source=/a,target=/b,readonly``; the default type is volume."""
    mount: dict[str, Any] = {"Type": "volume"}
    for field in text.split(","):
        key, _, value = field.partition("=")
        if key in _MOUNT_KEYS:
            mount[_MOUNT_KEYS[key]] = value
        elif key in ("readonly", "ro"):
            mount["ReadOnly"] = _parse_boolean(key, value)
        elif key == "bind-propagation":
            mount["BindOptions"] = {"Propagation": value}
        elif key == "volume-nocopy":
            mount["VolumeOptions"] = {"NoCopy": _parse_boolean(key, value)}
        elif key == "tmpfs-size":
            mount.setdefault("TmpfsOptions", {})["SizeBytes"] = _size(key, value)
        elif key == "tmpfs-mode":
            mount.setdefault("TmpfsOptions", {})["Mode"] = _mode(key, value)
        else:
            raise UsageError(f"--mount: unknown key {key!r} in {text!r}")
    if "Target" not in mount:
        raise UsageError(f"--mount: {text!r} has no target")
    source = mount.get("Source", "")
    if mount["Type"] == "bind" and source and not posixpath.isabs(source):
        mount["Source"] = os.path.abspath(source)
    return mount


def _parse_boolean(key: str, value: str) -> bool:
    if value not in _BOOLEANS:
        raise UsageError(f"--mount: invalid {key}={value}: expected true or false")
    return _BOOLEANS[value]


def _size(key: str, value: str) -> int:
    try:
        return size(value)
    except ArgumentTypeError as error:
        raise UsageError(f"--mount: {key}: {error}") from None


def _mode(key: str, value: str) -> int:
    # int() alone takes signs, underscores, 0o and the digits of other scripts.
    if not _OCTAL.fullmatch(value):
        raise UsageError(f"--mount: invalid {key}={value}: expected octal digits")
    return int(value, 8)


def _ulimit(text: str) -> dict[str, Any]:
    name, equals, values = text.partition("=")
    soft, _, hard = values.partition(":")
    try:
        limits = {"Soft": number(soft), "Hard": number(hard or soft)}
    except ArgumentTypeError:
        equals = ""
    if not equals:
        raise UsageError(f"--ulimit: invalid {text!r}: expected NAME=SOFT[:HARD]")
    return {"Name": name, **limits}


def _log_config(args: Arguments) -> dict[str, Any]:
    options = dict(_pair("--log-opt", text) for text in args.log_opt)
    config = {"Type": args.log_driver, "Config": options}
    return config if args.log_driver or options else {}


def _security_option(text: str) -> str:
    """Replace a seccomp profile's path by its content: the daemon may have another file system."""
    key, _, value = text.replace(":", "=", 1).partition("=")
    if key != "seccomp" or value in ("unconfined", "builtin") or value.startswith("{"):
        return text
    with open(value, encoding="utf-8") as file:
        return f"seccomp={file.read()}"
