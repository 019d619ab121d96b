"""Runs inside a container and prints, as JSON, what it can and cannot do there.

Read as text by test_isolation.py; imports nothing but the standard library.
"""

import ctypes
import errno
import json
import os
import socket
import stat
import sys
from collections.abc import Callable
from typing import Any

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


def refusal(call: Callable[..., object], *arguments: object) -> str:
    """The errno's name, or "ok"."""
    try:
        call(*arguments)
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    return "ok"


def syscall(number: int, *arguments: int) -> str:
    """In a child of its own, so that what is not refused changes nothing here."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        result = libc.syscall(ctypes.c_long(number), *(ctypes.c_long(a) for a in arguments))
        name = "ok" if result >= 0 else errno.errorcode.get(ctypes.get_errno(), "?")
        os.write(writer, name.encode())
        os._exit(0)
    os.close(writer)
    answer = os.read(reader, 64).decode()
    os.close(reader)
    os.waitpid(child, 0)
    return answer


def content(path: str) -> str:
    """How much of a path can be seen: absent, nothing, or something."""
    try:
        if stat.S_ISDIR(os.stat(path).st_mode):
            return "something" if os.listdir(path) else "nothing"
        with open(path, "rb") as file:
            return "something" if file.read(16) else "nothing"
    except FileNotFoundError:
        return "absent"
    except OSError as error:
        return errno.errorcode[error.errno or 0]


def status() -> dict[str, str]:
    with open("/proc/self/status") as file:
        pairs = (line.rstrip("\n").partition(":\t") for line in file)
        return {name: value for name, _, value in pairs}


def mounts() -> dict[str, list[str]]:
    with open("/proc/self/mountinfo") as file:
        fields = [line.split(" ") for line in file]
    return {line[4]: sorted(line[5].split(",")) for line in fields}


def opened(path: str, flags: int) -> None:
    os.close(os.open(path, flags))


def device(kind: int, major: int, minor: int) -> list[str]:
    path = f"/tmp/device-{major}-{minor}"  # noqa: S108 - inside the container
    made = refusal(os.mknod, path, 0o600 | kind, os.makedev(major, minor))
    answers = [made, refusal(opened, path, os.O_RDONLY)]
    refusal(os.unlink, path)
    return answers


def release_agent() -> list[str]:
    """The steps of CVE-2022-0492: an own cgroup mount, then a program for the host to run."""
    answers = [syscall(165, 0, 0, 0, 0, 0)]
    for directory, _, files in os.walk("/sys/fs/cgroup"):
        agents = {"release_agent", "notify_on_release"}.intersection(files)
        answers += [refusal(opened, f"{directory}/{name}", os.O_WRONLY) for name in agents]
    return sorted(set(answers))


def open_socket(*pair: int) -> None:
    socket.socket(*pair).close()


def report(wanted: dict[str, Any]) -> dict[str, object]:
    return {
        "namespaces": {name: os.readlink(f"/proc/self/ns/{name}") for name in wanted["namespaces"]},
        "status": {name: status()[name] for name in wanted["status"]},
        "masked": {path: content(path) for path in wanted["masked"]},
        "writes": {path: refusal(opened, path, os.O_WRONLY) for path in wanted["writes"]},
        "new directories": {path: refusal(os.mkdir, path) for path in wanted["new directories"]},
        "devices": sorted(os.listdir("/dev")),
        "made devices": {
            "/dev/mem": device(stat.S_IFCHR, 1, 1),
            "/dev/kmsg": device(stat.S_IFCHR, 1, 11),
            "first disk": device(stat.S_IFBLK, 254, 0),
            "/dev/null": device(stat.S_IFCHR, 1, 3),
        },
        "mounts": mounts(),
        "descriptors": sorted(int(name) for name in os.listdir("/proc/self/fd")),
        "sockets": {name: refusal(open_socket, *pair) for name, pair in wanted["sockets"].items()},
        "system calls": {name: syscall(*call) for name, call in wanted["system calls"].items()},
        "release_agent": release_agent(),
        "processes": sorted(int(name) for name in os.listdir("/proc") if name.isdigit()),
        "working directory": os.getcwd(),
        "interfaces": sorted(name for _, name in socket.if_nameindex()),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(report(json.loads(sys.argv[1]))))
