"""Mounts, as the kernel lists them."""

import os
from pathlib import Path


def is_mounted(place: Path) -> bool:
    """Whether ``place`` is a mount point; its parents may be symlinks."""
    # mountinfo writes space, tab, newline and backslash in octal.
    path = os.fsencode(place.parent.resolve() / place.name)
    for plain, octal in ((b"\\", b"\\134"), (b" ", b"\\040"), (b"\t", b"\\011"), (b"\n", b"\\012")):
        path = path.replace(plain, octal)
    with open("/proc/self/mountinfo", "rb") as table:
        return any(line.split(b" ")[4] == path for line in table)
