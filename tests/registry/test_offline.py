"""Administrative commands of the command line: in the server, or here without one."""

import os
from pathlib import Path

import pytest

from registry.admin.control import SOCKET
from registry.errors import StartupError
from tests.support import http
from tests.support.processes import make_registry_server
from tests.support.registry.administered import INDEX, OCI, names


def test_a_command_is_done_without_a_server(tmp_path: Path) -> None:
    registry = make_registry_server(tmp_path / "root")
    registry.start()
    http.put(
        f"{registry.url}/v2/team/app/manifests/1", content=INDEX, headers={"Content-Type": OCI}
    ).raise_for_status()
    registry.kill()  # leaves its socket behind

    assert names(tmp_path / "root") == ["team/app"]

    registry.start()
    assert names(tmp_path / "root") == ["team/app"]
    registry.stop()
    assert not (tmp_path / "root" / SOCKET).exists()


def test_where_there_is_no_registry_none_is_made(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="no registry here"):
        names(tmp_path / "root")

    assert not (tmp_path / "root").exists()


def test_a_directory_without_a_registry_is_not_made_into_one(tmp_path: Path) -> None:
    (tmp_path / "letters").write_text("to keep")

    with pytest.raises(StartupError, match="no registry here"):
        names(tmp_path)

    assert os.listdir(tmp_path) == ["letters"]
