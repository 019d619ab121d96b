"""Other people's programs, run to their end."""

import shutil
import subprocess
from pathlib import Path


def run(program: str, *arguments: str | Path, cwd: Path | None = None) -> bytes:
    """The program's output; CalledProcessError, with what it said, if it fails."""
    found = shutil.which(program)
    assert found is not None, f"{program} is not installed"
    command = [found, *map(str, arguments)]
    done = subprocess.run(command, check=True, capture_output=True, cwd=cwd)  # noqa: S603 - no shell
    return done.stdout
