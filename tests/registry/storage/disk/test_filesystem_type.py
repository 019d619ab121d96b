"""A root on a network file system is refused, with its name."""

import os
import subprocess
from pathlib import Path

import pytest

from registry.errors import StartupError
from registry.storage.disk import filesystem_type
from registry.storage.disk.filesystem_type import NETWORK, check_local, type_of


def test_the_type_is_that_of_statfs(tmp_path: Path) -> None:
    directory = os.open(tmp_path, os.O_RDONLY)
    command = ("/usr/bin/stat", "--file-system", "--format=%t", str(tmp_path))
    said = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603

    found = type_of(directory)

    os.close(directory)
    assert f"{found:x}" == said.stdout.strip()


@pytest.mark.parametrize(("magic", "name"), NETWORK.items())
def test_network_file_systems_are_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, magic: int, name: str
) -> None:
    monkeypatch.setattr(filesystem_type, "type_of", lambda _directory: magic)

    with pytest.raises(StartupError, match=f"is on {name}.*storage.any_filesystem"):
        check_local(0)


def test_a_local_file_system_is_good(tmp_path: Path) -> None:
    directory = os.open(tmp_path, os.O_RDONLY)

    check_local(directory)

    os.close(directory)
