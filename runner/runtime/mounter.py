"""KernelMounter: root filesystems mounted by the kernel."""

from collections.abc import Sequence
from pathlib import Path

from runner.linux.mounts import Mount, mount, unmount
from runner.runtime import rootfs as root_mounts
from runner.runtime.contract import RuntimeSpec


class KernelMounter:
    """A Mounter, for whoever has the right to mount."""

    def mount(self, mounts: Sequence[Mount], rootfs: Path) -> None:
        for one in mounts:
            mount(one, rootfs)

    def mount_inside(self, rootfs: Path, spec: RuntimeSpec) -> RuntimeSpec:
        root_mounts.check_kernel_directories(rootfs)
        root_mounts.bind_over_itself(rootfs)
        return root_mounts.mount_all(rootfs, spec)

    def unmount_inside(self, rootfs: Path) -> None:
        unmount(rootfs, timeout_seconds=0)

    def unmount(self, rootfs: Path) -> None:
        # Twice: a start that did not come to its end left its cover, with the mounts below it.
        unmount(rootfs)
        unmount(rootfs)
