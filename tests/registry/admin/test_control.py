"""Administrative commands: the same output for a running and a stopped registry."""

import asyncio
import contextlib
import json
import os
import socket
import stat
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from registry.admin.client import connect
from registry.admin.command import Command, Document, Run
from registry.admin.control import MAX_LINE, SOCKET, parse, serve_commands
from registry.admin.open_registry import OpenRegistry
from registry.app import open_registry
from registry.config import load_settings
from registry.errors import CommandRefused
from registry.storage.disk.root import Root
from tests.support.processes import RegistryServer, make_registry_server
from tests.support.registry.administered import names
from tests.support.registry.schema import upgrade


def test_only_the_owner_may_give_commands(server: RegistryServer) -> None:
    mode = os.stat(server.root / SOCKET).st_mode

    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600


@pytest.mark.parametrize(
    "line", [b"\n", b"[]\n", b"\xff\n", b"{}\n", b'{"command": []}\n', b"x" * 200_000]
)
def test_ops_1_garbage_on_the_socket_ends_only_its_connection(
    server: RegistryServer, line: bytes
) -> None:
    with closing(connect(server.root)) as connection:
        connection.settimeout(60)
        try:
            connection.sendall(line)
            connection.shutdown(socket.SHUT_WR)
            said = connection.recv(65536)
        except (BrokenPipeError, ConnectionResetError):
            said = b'{"refused"'

    assert said.startswith(b'{"refused"')
    assert names(server.root) == ["team/app"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.binary(max_size=60) | JSON.map(json.dumps).map(str.encode))
def test_any_line_is_an_object_or_refused(line: bytes) -> None:
    try:
        assert isinstance(parse(line), dict)
    except CommandRefused as refusal:
        assert str(refusal) in ("expected one line of JSON", "expected a JSON object")


def test_a_line_of_nothing_but_brackets_is_refused() -> None:
    with pytest.raises(CommandRefused, match="expected one line of JSON"):
        parse(b"[" * MAX_LINE)


async def test_a_client_that_hangs_does_not_delay_the_end(tmp_path: Path) -> None:
    registry = make_registry_server(tmp_path / "root")
    registry.start()
    with closing(connect(tmp_path / "root")):
        # A request is waited for 30 seconds by default.
        assert await asyncio.wait_for(asyncio.to_thread(registry.stop), 25) == 0


async def test_a_command_is_cancelled_when_its_client_disconnects(tmp_path: Path) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def endless(opened: OpenRegistry) -> AsyncGenerator[Document, None]:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        yield {}

    settings = load_settings(flags={"storage.root": str(tmp_path / "root")})
    with Root.open(tmp_path / "root") as root:
        upgrade(root.database)
        async with (
            open_registry(settings, root) as opened,
            serve_commands(opened, {"endless": Command(endless)}),
        ):
            with closing(connect(tmp_path / "root")) as client:
                client.sendall(b'{"command": "endless"}\n')
                await asyncio.wait_for(begun.wait(), 60)

            await asyncio.wait_for(ended.wait(), 60)


@contextlib.asynccontextmanager
async def serving(directory: Path, command: Run) -> AsyncIterator[None]:
    """A registry in this process whose only command is ``failing``."""
    settings = load_settings(flags={"storage.root": str(directory)})
    with Root.open(directory) as root:
        upgrade(root.database)
        async with (
            open_registry(settings, root) as opened,
            serve_commands(opened, {"failing": Command(command)}),
        ):
            yield


def answers(directory: Path) -> bytes:
    """All that the socket answers to the command ``failing``."""
    with closing(connect(directory)) as client, client.makefile("rb") as answer:
        client.settimeout(60)
        client.sendall(b'{"command": "failing"}\n')
        return answer.read()


async def test_a_command_that_fails_is_logged_with_its_reason(tmp_path: Path) -> None:
    failure = LookupError("a bug in a command")

    async def fail(opened: OpenRegistry) -> AsyncGenerator[Document, None]:
        yield {}
        raise failure

    async with serving(tmp_path / "root", fail):
        with structlog.testing.capture_logs() as logs:
            said = await asyncio.to_thread(answers, tmp_path / "root")

    assert b"a bug in a command" in said.splitlines()[-1]
    [line] = [line for line in logs if line["log_level"] == "error"]
    assert (line["event"], line["exc_info"]) == ("command failed", True)


async def test_an_answer_that_cannot_be_written_is_logged_with_its_reason(tmp_path: Path) -> None:
    async def odd(opened: OpenRegistry) -> AsyncGenerator[Document, None]:
        yield {"value": object()}

    async with serving(tmp_path / "root", odd):
        with structlog.testing.capture_logs() as logs:
            assert await asyncio.to_thread(answers, tmp_path / "root") == b""

    [line] = [line for line in logs if line["log_level"] == "error"]
    assert line["event"] == "the control socket failed"
    assert isinstance(line["exc_info"], TypeError)
