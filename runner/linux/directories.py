"""make_directory: create a directory with an exact mode, regardless of the umask."""

from contextlib import suppress
from pathlib import Path
from typing import Final

_PARENT_MODE: Final = 0o755


def make_directory(directory: Path, mode: int = _PARENT_MODE) -> None:
    """Create a directory with this mode, missing parents with 0755; keep existing modes."""
    missing = [one for one in (directory, *directory.parents) if not one.exists()]
    for one in reversed(missing):
        with suppress(FileExistsError):
            one.mkdir(mode=0o700)
            one.chmod(mode if one == directory else _PARENT_MODE)
