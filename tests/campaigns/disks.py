"""Disks for campaigns: one whose power can be cut, and one that is small."""

import contextlib
import fcntl
import os
import shutil
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

# _IOR('X', 125, __u32), and: without writing the journal first.
FS_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = struct.pack("I", 2)
MIB = 1024 * 1024
TIMEOUT_SECONDS = 60.0


def run(*command: str | Path) -> None:
    """A program of the system's, in silence; what it says is told if it fails."""
    program = shutil.which(str(command[0]), path="/usr/sbin:/sbin:/usr/bin:/bin")
    assert program is not None, f"needs the program {command[0]}"
    done = subprocess.run(  # noqa: S603 - a fixed command of the campaign's own
        [program, *map(str, command[1:])], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{command}: {done.stderr or done.stdout}")


class Disk:
    """An ext4 in a file.  After ``cut`` it is what a machine finds that has lost its power.

    The journal is written as seldom as can be: what was not synced is lost.
    """

    def __init__(self, place: Path, megabytes: int = 256) -> None:
        self.mount_point = place / "disk"
        self._image = place / "disk.img"
        self.mount_point.mkdir()
        with self._image.open("wb") as image:
            image.truncate(megabytes * MIB)
        run("mkfs.ext4", "-q", "-F", self._image)
        self.mount()

    def mount(self) -> None:
        run("mount", "-o", "loop,commit=300", self._image, self.mount_point)

    def cut(self) -> None:
        """Cut the power: from now on every call fails, and nothing reaches the disk."""
        fd = os.open(self.mount_point, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(fd, FS_IOC_SHUTDOWN, NO_LOG_FLUSH)
        finally:
            os.close(fd)

    def unmount(self) -> None:
        unmount(self.mount_point)

    def replug(self) -> None:
        """Give it power again.  Processes with open files must have ended."""
        self.unmount()
        self.mount()

    def close(self) -> None:
        with contextlib.suppress(RuntimeError):
            self.unmount()
        self._image.unlink()


@contextlib.contextmanager
def small_disk(place: Path, megabytes: int) -> Iterator[Path]:
    """A disk in memory that is soon full."""
    place.mkdir()
    run("mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", place)
    try:
        yield place
    finally:
        unmount(place)


def unmount(place: Path) -> None:
    """Unmount as soon as whoever is ending there has ended."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while True:
        try:
            run("umount", place)
        except RuntimeError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def fill(place: Path) -> Path:
    """Leave no byte; the file that takes them all."""
    filler = place / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        for size in (256 * 1024, 4096):
            with contextlib.suppress(OSError):
                while file.write(bytes(size)) == size:
                    pass
    return filler
