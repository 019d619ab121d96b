"""The spec's ``mounts``: kernel file systems, the three files in /etc, and the user's mounts.

https://github.com/opencontainers/runtime-spec/blob/main/config.md#mounts
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from runner.errors import BadRequest
from runner.runtime.oci_spec.host import Host
from runner.runtime.oci_spec.process import INIT_PATH
from runner.schema import ContainerOptions, MountOption
from runner.schema.mounts import PROPAGATIONS

DEFAULT_SHM_BYTES: Final = 64 * 1024 * 1024
FILES: Final = ("hostname", "hosts", "resolv.conf")

_SHM: Final = "/dev/shm"  # noqa: S108 - a place inside the container, not on this host
_IPC_PATHS: Final = (_SHM, "/dev/mqueue")
_SAFE: Final = ("nosuid", "noexec", "nodev")
# mount_setattr(2), which makes a whole tree of mounts read-only, is from 5.12.
_RECURSIVE_READ_ONLY: Final = (5, 12)

Entry = dict[str, Any]


def mounts(
    options: ContainerOptions, asked: Iterable[MountOption], files: Path, host: Host
) -> list[Entry]:
    """The mounts in mount order: parents before children.

    A user's mount replaces ours at the same target.
    """
    entries = {entry["destination"]: entry for entry in kernel_mounts(options)}
    for name in FILES:
        entries[f"/etc/{name}"] = _bind(str(files / name), f"/etc/{name}", options.read_only)
    if options.init:
        if not host.init:
            raise BadRequest("init is not available: no static tini or catatonit is installed")
        entries[INIT_PATH] = _bind(host.init, INIT_PATH, read_only=True)
    for mount in asked:
        entries[mount.target] = _user_mount(mount, host)
    return sorted(entries.values(), key=lambda entry: entry["destination"].count("/"))


def kernel_mounts(options: ContainerOptions) -> list[Entry]:
    """The kernel file systems of every container; /sys and the cgroups are read-only."""
    size = options.shm_size or DEFAULT_SHM_BYTES
    entries = [
        _entry("/proc", "proc", "proc", *_SAFE),
        _entry("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
        _entry("/sys", "sysfs", "sysfs", *_SAFE, "ro"),
        _entry(
            "/dev/pts", "devpts", "devpts",
            "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5",
        ),
        _entry("/dev/mqueue", "mqueue", "mqueue", *_SAFE),
        _entry(_SHM, "tmpfs", "shm", *_SAFE, "mode=1777", f"size={size}"),
        _entry("/sys/fs/cgroup", "cgroup", "cgroup", *_SAFE, "ro"),
    ]  # fmt: skip
    if options.ipc_mode == "none":
        entries = [entry for entry in entries if entry["destination"] != _SHM]
    if options.ipc_mode == "host":
        entries = [entry for entry in entries if entry["destination"] not in _IPC_PATHS]
        entries += [_bind(path, path, read_only=False) for path in _IPC_PATHS]
    return entries


def _user_mount(mount: MountOption, host: Host) -> Entry:
    """A bind, a volume (a bind of its directory) or a tmpfs."""
    if mount.kind == "tmpfs":
        read_only = ("ro",) if mount.read_only else ()
        return _entry(mount.target, "tmpfs", "tmpfs", *_SAFE, *mount.options, *read_only)
    propagation = [word for word in mount.options if word in PROPAGATIONS] or ["rprivate"]
    recursive = "nonrecursive" not in mount.options
    words = ["rbind" if recursive else "bind", *propagation]
    if mount.read_only:
        # rro too: with ro alone, mounts below the source stay writable.
        deep = recursive and host.kernel >= _RECURSIVE_READ_ONLY
        words += ["ro", "rro"] if deep else ["ro"]
    return {
        "destination": mount.target, "type": "bind", "source": mount.source, "options": words,
    }  # fmt: skip


def _bind(source: str, destination: str, read_only: bool) -> Entry:
    words = ["rbind", "rprivate", *(["ro"] if read_only else [])]
    return {"destination": destination, "type": "bind", "source": source, "options": words}


def _entry(destination: str, kind: str, source: str, *words: str) -> Entry:
    return {"destination": destination, "type": kind, "source": source, "options": list(words)}
