"""Control client: the server's answers, or the news that there is none."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
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


@contextmanager
def answering(root: Path, answer: bytes) -> Iterator[None]:
    """A server of one command that answers with these bytes, whatever the command."""
    with closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(os.path.relpath(root / SOCKET))
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection, connection.makefile("rb") as lines:
                lines.readline()
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield
        thread.join()


def test_documents_arrive_in_order(tmp_path: Path) -> None:
    with answering(tmp_path, b'{"a":1}\n{"a":2}\n{"done":true}\n'):
        assert list(send_command(tmp_path, "any", {})) == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b'{"refused":"no repository app"}\n', "no repository app"),
        (
            b"",
            "the server closed the control socket after 0 lines, "
            "expected the command's end or its refusal",
        ),
        (
            b'{"a":1}\n{"a":2}\n',
            "the server closed the control socket after 2 lines, "
            "expected the command's end or its refusal",
        ),
        (
            b'{"a":1}\n{"a',
            "the server closed the control socket after 1 lines, "
            "expected the command's end or its refusal",
        ),
    ],
    ids=["refused", "nothing", "no end", "half a line"],
)
def test_a_command_without_its_end_is_refused(tmp_path: Path, answer: bytes, message: str) -> None:
    with answering(tmp_path, answer), pytest.raises(CommandRefused) as caught:
        list(send_command(tmp_path, "any", {}))

    assert str(caught.value) == message


def test_without_a_socket_no_server_runs(tmp_path: Path) -> None:
    with pytest.raises(NotRunning):
        list(send_command(tmp_path, "any", {}))
