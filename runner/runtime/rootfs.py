"""Mount the user's mounts into a rootfs by descriptors, before the runtime's kernel mounts.

https://github.com/opencontainers/runtime-spec/blob/main/config.md#mounts

A runtime resolves targets by path, in a tree filled by an image and its earlier runs: a symlink
in a volume once led the next mount to /dev, and paths were masked with a symlink in place of
/dev/null.  So each target is resolved by descriptors below every earlier mount, must not be
a kernel path, and is mounted by descriptor.  The runtime mounts /dev, /proc and /sys last, over
everything else.
"""

import errno
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from runner.errors import BadRequest
from runner.linux.mount_targets import MountTarget, open_target
from runner.linux.mount_tree import Bind, bind
from runner.linux.mounts import Mount, mount, mount_on
from runner.linux.openat2 import IN_ROOT, RESOLVE_NO_SYMLINKS, RESOLVE_NO_XDEV, open_in_root
from runner.runtime.contract import RuntimeSpec
from runner.runtime.oci_spec.filesystem import FILES
from runner.schema.mounts import PROPAGATIONS

_KERNEL_DIRECTORIES: Final = ("dev", "proc", "sys")
_OUR_FILES: Final = frozenset(f"/etc/{name}" for name in FILES)
_NULL: Final = os.makedev(1, 3)


def is_kernel_path(target: str) -> bool:
    """Whether a normalized path is /dev, /proc or /sys, or lies below one."""
    return target.split("/")[1] in _KERNEL_DIRECTORIES


def check_kernel_directories(rootfs: Path) -> None:
    """Check that the runtime's mount points are directories or missing.

    A symlink there has led runtimes out of the rootfs (CVE-2019-19921, CVE-2026-41579).
    """
    for name in _KERNEL_DIRECTORIES:
        try:
            mode = os.lstat(rootfs / name).st_mode
        except FileNotFoundError:
            continue
        if not stat.S_ISDIR(mode):
            raise BadRequest(f"invalid image: /{name} is {_kind(mode)}, expected a directory")


def bind_over_itself(rootfs: Path) -> None:
    """Bind the rootfs over itself, private to this namespace, so that a single unmount removes
    all mounts below it."""
    mount(Mount("", str(rootfs), ("bind", "rprivate")), rootfs)


def mount_all(rootfs: Path, spec: RuntimeSpec) -> RuntimeSpec:
    """Make a spec's mounts, except those on kernel paths, in order.

    Returns the spec with the remaining mounts, for the runtime.  Raises BadRequest for a target
    that leads to a kernel path by a symlink, and for a mount that the kernel refuses.
    """
    left = [entry for entry in spec["mounts"] if is_kernel_path(entry["destination"])]
    check_runtime_mounts(left)
    root = os.open(rootfs, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for entry in spec["mounts"]:
            if not is_kernel_path(entry["destination"]):
                _mount(root, entry)
    finally:
        os.close(root)
    return {**spec, "mounts": left}


def check_runtime_mounts(entries: Sequence[dict[str, Any]]) -> None:
    """Check the mounts in /dev, /proc and /sys, which the runtime makes by path.

    No target below a bind may contain a symlink, and /dev/null, used for masking, must be the
    device (CVE-2025-31133).
    """
    binds: dict[str, str] = {}
    for entry in entries:
        target = entry["destination"]
        above = max((place for place in binds if target.startswith(f"{place}/")), default="")
        if above:
            _check_no_link(binds[above], target.removeprefix(f"{above}/"), target)
        if entry["type"] == "bind":
            binds[target] = entry["source"]
    for place, source in binds.items():
        if place in ("/dev", "/dev/null"):
            _check_null(Path(source, "null") if place == "/dev" else Path(source))


def _check_no_link(source: str, rest: str, target: str) -> None:
    root = os.open(source, os.O_PATH | os.O_CLOEXEC)
    try:
        os.close(open_in_root(root, rest, os.O_PATH, resolve=RESOLVE_NO_SYMLINKS))
    except FileNotFoundError:
        return
    except OSError as error:
        raise BadRequest(f"mount target {target} has a link in it, expected none") from error
    finally:
        os.close(root)


def _check_null(file: Path) -> None:
    try:
        found = os.lstat(file)
    except OSError:
        return
    if not stat.S_ISCHR(found.st_mode) or found.st_rdev != _NULL:
        kind = _kind(found.st_mode)
        raise BadRequest(f"invalid mount: /dev/null is {kind}, expected the device 1:3")


def _mount(root: int, entry: dict[str, Any]) -> None:
    wanted, source = entry["destination"], entry["source"]
    try:
        directory = entry["type"] == "tmpfs" or os.path.isdir(source)
        target = _open_target(root, wanted, directory=directory)
        try:
            if target.path == "/" or is_kernel_path(target.path):
                raise BadRequest(f"invalid image: mount target {wanted} leads to {target.path}")
            _mount_on(target, entry)
        finally:
            os.close(target.descriptor)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise BadRequest(f"cannot mount {source} at {wanted}: {reason}") from error


def _open_target(root: int, wanted: str, *, directory: bool) -> MountTarget:
    """Open the target; replace an image's symlink that leads to no file."""
    try:
        return open_target(root, wanted, directory=directory)
    except OSError as error:
        # A loop of symlinks, or a symlink to a directory.
        leads_nowhere = error.errno == errno.ELOOP or isinstance(error, IsADirectoryError)
        if not leads_nowhere or wanted not in _OUR_FILES or not _unlink_link(root, wanted):
            raise
        return open_target(root, wanted, directory=directory)


def _unlink_link(root: int, path: str) -> bool:
    """Remove a symlink of the image, never one inside a mount."""
    above, _, name = path.rpartition("/")
    flags = os.O_PATH | os.O_DIRECTORY
    parent = open_in_root(root, above, flags, resolve=IN_ROOT | RESOLVE_NO_XDEV)
    try:
        if not stat.S_ISLNK(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
            return False
        os.unlink(name, dir_fd=parent)
        return True
    finally:
        os.close(parent)


def _mount_on(target: MountTarget, entry: dict[str, Any]) -> None:
    words = tuple(entry["options"])
    if entry["type"] == "bind":
        propagation = next((word for word in words if word in PROPAGATIONS), "rprivate")
        wanted = Bind(
            entry["source"], "rbind" in words, "ro" in words, "rro" in words, _as_slave(propagation)
        )
        bind(wanted, target.descriptor)
        return
    if not target.created:
        # As runtimes do, default to the directory's mode.
        words = (f"mode={stat.S_IMODE(os.stat(target.descriptor).st_mode):04o}", *words)
    mount_on(Mount(entry["type"], entry["source"], words), target.descriptor)


def _as_slave(propagation: str) -> str:
    """Turn shared propagation into slave: mounts never propagate to the host."""
    return propagation.replace("shared", "slave")


def _kind(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "a link"
    return "a directory" if stat.S_ISDIR(mode) else "a file"
