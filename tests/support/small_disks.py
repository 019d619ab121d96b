"""Small disks for tests: a tmpfs that is as full as a test wants it."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def small_disk(directory: Path, options: str) -> Iterator[Path]:
    """Mount a tmpfs with these options, ``size=8m``, on a new directory; needs root."""
    directory.mkdir()
    mount = ("/bin/mount", "-t", "tmpfs", "-o", options, "tmpfs", str(directory))
    subprocess.run(mount, check=True)  # noqa: S603
    try:
        yield directory
    finally:
        # Lazily: a thread of the test may still close a file on it.
        subprocess.run(["/bin/umount", "--lazy", str(directory)], check=True)  # noqa: S603
