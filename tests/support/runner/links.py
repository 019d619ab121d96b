"""LinkMounter: a Mounter of plain directories, which shows each by a symbolic link to it.

For nobody has to be root; so what the user mounts is not there.
"""

from collections.abc import Sequence
from pathlib import Path

from runner.linux.mounts import Mount
from runner.runtime.contract import RuntimeSpec
from runner.runtime.rootfs import check_kernel_directories, is_kernel_path


class LinkMounter:
    """Takes snapshots whose one mount is a bind, as PlainSnapshotter's are."""

    def mount(self, mounts: Sequence[Mount], rootfs: Path) -> None:
        (bind,) = mounts
        rootfs.rmdir()
        rootfs.symlink_to(bind.source)

    def mount_inside(self, rootfs: Path, spec: RuntimeSpec) -> RuntimeSpec:
        check_kernel_directories(rootfs)
        left = [one for one in spec["mounts"] if is_kernel_path(one["destination"])]
        return {**spec, "mounts": left}

    def unmount_inside(self, rootfs: Path) -> None:
        """There is nothing inside."""

    def unmount(self, rootfs: Path) -> None:
        if rootfs.is_symlink():
            rootfs.unlink()
            rootfs.mkdir(mode=0o700)
