"""Directories with the mode they are meant to have, whatever the daemon's umask."""

from contextlib import suppress
from pathlib import Path
from typing import Final

_PARENT_MODE: Final = 0o755


def make_directory(directory: Path, mode: int = _PARENT_MODE) -> None:
    """Make it with this mode, and its missing parents 0755; what is there already stays."""
    missing = [one for one in (directory, *directory.parents) if not one.exists()]
    for one in reversed(missing):
        with suppress(FileExistsError):
            one.mkdir(mode=0o700)
            one.chmod(mode if one == directory else _PARENT_MODE)
