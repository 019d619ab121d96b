"""Real clients, each with a home of its own, against a real registry process."""

import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.support.processes import needs_program

Run = Callable[..., str]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Where the client keeps what it keeps: nothing of the machine's own settings."""
    directory = tmp_path / "home"
    directory.mkdir()
    (directory / "auth.json").write_text("{}")
    return directory


@pytest.fixture
def run(home: Path) -> Run:
    """Runs a program to its end and returns what it printed; fails with what it complained of."""

    def run_program(
        *command: str | Path, environment: Mapping[str, str] | None = None, check: bool = True
    ) -> str:
        program = needs_program(str(command[0]))
        result = subprocess.run(  # noqa: S603  (a fixed command of the test's own)
            [program, *map(str, command[1:])],
            capture_output=True,
            text=True,
            timeout=120,
            env={
                "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin",
                "HOME": str(home),
                "XDG_RUNTIME_DIR": str(home),
                "REGISTRY_AUTH_FILE": str(home / "auth.json"),
                "TMPDIR": str(home),
                **(environment or {}),
            },
        )
        if check and result.returncode != 0:
            pytest.fail(f"{' '.join(map(str, command))}\n{result.stdout}{result.stderr}")
        return result.stdout + ("" if check else result.stderr)

    return run_program
