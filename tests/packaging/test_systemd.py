"""The systemd units: systemd itself finds nothing wrong with them."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import runner

UNITS = Path(runner.__file__).parent.parent / "packaging" / "systemd"


@pytest.mark.parametrize("name", ["registry.service", "runner.service", "runner.socket"])
def test_systemd_verifies_the_unit(name: str, tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not here: package systemd")
    for unit in UNITS.iterdir():
        # The programs are where a distribution would put them, not where this test runs.
        text = unit.read_text().replace("/usr/bin/runner", sys.executable)
        (tmp_path / unit.name).write_text(text.replace("/usr/bin/registry", sys.executable))

    done = subprocess.run(  # noqa: S603  (a fixed command)
        [program, "verify", "--man=no", str(tmp_path / name)],
        capture_output=True,
        text=True,
        check=False,
    )

    # It loads the units of this machine too, and complains of those as well.
    ours = [line for line in done.stderr.splitlines() if str(tmp_path) in line or name in line]
    assert ours == []


def test_a_stopped_daemon_leaves_its_containers_alone() -> None:
    lines = (UNITS / "runner.service").read_text().splitlines()

    assert {"KillMode=process", "Delegate=yes", "TasksMax=infinity"} <= set(lines)
