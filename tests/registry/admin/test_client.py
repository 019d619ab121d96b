"""Control client: the server's answers, or the news that there is none."""

import os
import socket
from contextlib import closing
from pathlib import Path

import pytest

from registry.admin.client import NotRunning, send_command
from registry.admin.control import SOCKET
from registry.errors import CommandRefused
from tests.support.processes import RegistryServer
from tests.support.registry.administered import names


def test_a_command_is_done_by_the_server_that_runs(server: RegistryServer) -> None:
    assert list(send_command(server.root, "repo list", {})) == [{"name": "team/app"}]
    assert names(server.root) == ["team/app"]


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("no such", {}, "no command 'no such'"),
        ("repo list", {"name": "x"}, "does not take name = 'x'"),
    ],
)
def test_an_unknown_command_is_refused(
    server: RegistryServer, name: str, arguments: dict[str, str], said: str
) -> None:
    with pytest.raises(CommandRefused, match=said):
        list(send_command(server.root, name, arguments))


def test_a_socket_without_a_listener_is_no_server(tmp_path: Path) -> None:
    with closing(socket.socket(socket.AF_UNIX)) as dead:
        dead.bind(os.path.relpath(tmp_path / SOCKET))

    with pytest.raises(NotRunning):
        list(send_command(tmp_path, "repo list", {}))
