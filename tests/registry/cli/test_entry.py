"""The command's refusals: one line, and the exit status."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import types
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from registry.cli import main
from registry.cli.entry import COMMANDS, INTERRUPTED
from registry.storage.backup_directory import Backup, Label
from tests.support import http
from tests.support.ports import free_port
from tests.support.processes import make_registry_server, registry_server

pytestmark = pytest.mark.takes(15)


def run(*arguments: str | Path, environment: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], env=environment)


def refused(result: Result, code: int, *texts: str) -> None:
    """One line that says what is wrong, and the exit code."""
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    for text in texts:
        assert text in result.output
    if code == 1:
        assert result.output.startswith("Error: ")


def test_help_is_quick_and_names_the_commands() -> None:
    result = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "registry", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert "serve" in result.stdout
    assert "check-config" in result.stdout
    for heavy in ("starlette", "sqlalchemy", "uvicorn", "structlog", "registry.app", "oci"):
        assert f" {heavy}" not in result.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_a_commands_summary_begins_its_own_help(name: str) -> None:
    command = main.get_command(click.Context(main), name)

    assert command is not None
    assert command.name == name
    summary = COMMANDS[name][1].removesuffix(".")
    assert (command.help or "").startswith(summary)


@pytest.mark.parametrize(
    "arguments",
    [
        ["serve", "--anonymous", "admin"],
        ["serve", "--listen", "5000"],
        ["serve", "--config", "/does/not/exist"],
        ["serve", "--no-such-flag"],
        ["serve", "argument"],
        ["no-such-command"],
    ],
)
def test_wrong_usage_exits_with_2(arguments: list[str]) -> None:
    refused(run(*arguments), 2, "Error: ")


def test_every_mistake_in_the_settings_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[server]\nidle_seconds = -1\n[strage]\nroot = 'x'\n")

    for command in ("serve", "check-config"):
        result = run(command, "--config", file, environment={"REGISTRY_LOGS__LEVEL": "loud"})
        refused(result, 1, "server.idle_seconds", "strage.root", "REGISTRY_LOGS__LEVEL")
        assert len(result.output.splitlines()) == 3


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"])
@pytest.mark.parametrize("command", ["serve", "check-config"])
def test_an_address_beyond_loopback_needs_tls_or_that_somebody_insists(
    tmp_path: Path, listen: str, command: str
) -> None:
    environment = {
        "REGISTRY_SERVER__LISTEN": listen,
        "REGISTRY_STORAGE__ROOT": str(tmp_path / "root"),
    }

    result = run(command, environment=environment)

    refused(result, 1, listen, "unencrypted", "server.external_url", "--plain-http")
    assert len(result.output.splitlines()) == 1
    assert not (tmp_path / "root").exists()


def test_a_taken_port_is_one_line(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        result = run("serve", "--root", tmp_path / "root", "--listen", f"127.0.0.1:{port}")

    refused(result, 1, str(port), "in use")
    assert len(result.output.splitlines()) == 1


@pytest.mark.parametrize("content", ["file", "nested/file"])
def test_a_root_that_cannot_be_written_is_one_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "file").write_text("not a directory")
    root = tmp_path / "file" / "root"

    result = run("serve", "--root", root, "--listen", "127.0.0.1:0")

    refused(result, 1, str(root))
    assert len(result.output.splitlines()) == 1


def test_whatever_fails_at_the_start_ends_it_with_one_line(tmp_path: Path) -> None:
    """A server that went on without its lifespan answered 500 to everything."""
    (tmp_path / "root" / "control.sock").mkdir(parents=True)

    result = run("serve", "--root", tmp_path / "root", "--listen", "127.0.0.1:0")

    refused(result, 1, "the registry could not start", "control.sock", "directory")
    assert len(result.output.splitlines()) == 1


def test_a_bug_at_the_start_is_one_line_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: object) -> None:
        raise LookupError("a bug")

    monkeypatch.setattr("registry.app.jobs", broken)

    result = run("serve", "--root", tmp_path / "root", "--listen", "127.0.0.1:0")

    refused(result, 1, "the registry could not start: LookupError: a bug")
    assert len(result.output.splitlines()) == 1


def test_an_incompatible_uvicorn_is_reported_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(HttpToolsProtocol, "_start_asgi_task")

    result = run("serve", "--root", tmp_path / "root", "--listen", "127.0.0.1:0")

    refused(result, 1, "lacks HttpToolsProtocol._start_asgi_task")
    assert len(result.output.splitlines()) == 1


def test_a_uvicorn_whose_internals_have_other_names_is_one_line(tmp_path: Path) -> None:
    program = (
        "import uvicorn.protocols.http.httptools_impl as impl, sys\n"
        "del impl.STATUS_LINE\n"
        "from registry.cli import main\n"
        "main(sys.argv[1:])\n"
    )

    result = subprocess.run(  # noqa: S603  (a fixed program)
        [sys.executable, "-c", program, "serve", "--root", tmp_path / "root"],
        capture_output=True,
        text=True,
    )

    assert result.returncode == 1
    [line] = result.stderr.splitlines()
    assert line.startswith("Error: this uvicorn is not one that the registry's server can build on")
    assert "STATUS_LINE" in line


def test_it_admits_no_more_connections_than_it_has_descriptors_for(tmp_path: Path) -> None:
    registry = make_registry_server(tmp_path / "root")
    limited = ["/bin/sh", "-c", 'ulimit -n 256; exec "$@"', "sh", *registry.server.command]
    registry.server.command = limited
    registry.start()
    try:
        with ExitStack() as stack:
            connections = [
                stack.enter_context(socket.create_connection(("127.0.0.1", registry.port), 10))
                for _ in range(70)
            ]
            connections[0].sendall(b"GET /v2/ HTTP/1.1\r\nHost: a\r\n\r\n")
            admitted, last = connections[0].recv(100), connections[-1].recv(100)
    finally:
        registry.stop()

    assert admitted.startswith(b"HTTP/1.1 200")
    assert last.startswith(b"HTTP/1.1 503")


def test_an_os_error_is_reported_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    (tmp_path / "backup").mkdir()

    Backup(tmp_path / "backup").prepare()
    Backup(tmp_path / "backup").new_database.touch()
    Backup(tmp_path / "backup").finish(Label(1, 0, 0), ())
    result = run("restore", "--root", tmp_path / "file", tmp_path / "backup")

    refused(result, 1, f"{tmp_path / 'file'}: Not a directory")
    assert len(result.output.splitlines()) == 1


class Interrupted(types.ModuleType):
    """A module in whose import ctrl-C is pressed."""

    def __getattr__(self, name: str) -> Any:
        raise KeyboardInterrupt


def test_an_interrupt_in_an_import_says_what_to_do_next(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "registry.cli.repositories"
    monkeypatch.setitem(sys.modules, name, Interrupted(name))

    result = run("repo", "list")

    assert result.exit_code == INTERRUPTED
    assert result.output == "Interrupted; run the command again to continue or to begin again.\n"


def test_a_command_that_is_interrupted_says_so_and_ends_with_130(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("registry.offline.administer", interrupted)

    result = run("repo", "list", "--root", tmp_path)

    assert (result.exit_code, result.output.partition(";")[0]) == (INTERRUPTED, "Interrupted")


def test_a_second_server_on_the_same_root_is_one_line(tmp_path: Path) -> None:
    with registry_server(tmp_path / "root") as first:
        result = run("serve", "--root", tmp_path / "root", "--listen", "127.0.0.1:0")

        refused(result, 1, "in use", str(first.server.pid))
        assert len(result.output.splitlines()) == 1
        assert http.get(f"{first.url}/v2/").status_code == 200


def test_the_first_log_line_has_the_access_policy(tmp_path: Path) -> None:
    with registry_server(tmp_path / "root", anonymous="pull") as registry:
        first = registry.server.log.read_text().splitlines()[0]

    line = json.loads(first)
    assert line["event"] == (
        f"listening on {registry.host}: anyone who can connect may pull, and signs in to push"
    )
    assert line["root"] == str(tmp_path / "root")


def test_lines_for_requests_can_be_turned_off(tmp_path: Path) -> None:
    environment = {"REGISTRY_LOGS__REQUESTS": "false"}

    with registry_server(tmp_path / "root", environment=environment) as registry:
        http.get(f"{registry.url}/v2/")

    assert '"request"' not in registry.server.log.read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_0(tmp_path: Path, number: int) -> None:
    with registry_server(tmp_path / "root") as registry:
        os.kill(registry.server.pid, number)

        assert registry.server.process is not None
        assert registry.server.process.wait(60) == 0
    assert "Traceback" not in registry.server.log.read_text()


def test_sigterm_finishes_current_requests_and_refuses_new_ones(tmp_path: Path) -> None:
    with registry_server(tmp_path / "root") as registry:
        location = http.post(f"{registry.url}/v2/a/blobs/uploads/").headers["location"]
        with closing(socket.create_connection(("127.0.0.1", registry.port))) as connection:
            begin_upload(connection, location)
            connection.sendall(b"12345")
            os.kill(registry.server.pid, signal.SIGTERM)
            wait_until_refused(registry.port)

            connection.sendall(b"67890")
            answer = connection.recv(4096)

        assert b"202 Accepted" in answer
        assert b"range: 0-9" in answer.lower()
        assert registry.server.process is not None
        assert registry.server.process.wait(60) == 0


def test_sigterm_waits_no_longer_than_the_setting(tmp_path: Path) -> None:
    environment = {"REGISTRY_SERVER__SHUTDOWN_SECONDS": "0.5"}
    registry = make_registry_server(tmp_path / "root", environment=environment)
    registry.start()
    location = http.post(f"{registry.url}/v2/a/blobs/uploads/").headers["location"]

    with closing(socket.create_connection(("127.0.0.1", registry.port))) as connection:
        begin_upload(connection, location)
        started = time.monotonic()
        code = registry.stop()

    assert code == 0
    # By default it is 30 seconds.
    assert time.monotonic() - started < 25


def begin_upload(connection: socket.socket, location: str) -> None:
    """Send the head of an upload of ten bytes, and wait until the server asks for them."""
    connection.settimeout(60)
    head = f"PATCH {location} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n"
    connection.sendall(f"{head}Expect: 100-continue\r\n\r\n".encode())
    said = b""
    while b"\r\n\r\n" not in said:
        said += connection.recv(4096)
    assert said.startswith(b"HTTP/1.1 100 ")


def wait_until_refused(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            return
        time.sleep(0.05)
    pytest.fail("it still accepts connections")


def test_port_zero_is_reported_as_the_chosen_port(tmp_path: Path) -> None:
    registry = make_registry_server(tmp_path / "root", port=free_port())
    registry.start()
    try:
        assert f"listening on 127.0.0.1:{registry.port}" in registry.server.tail
    finally:
        registry.stop()
