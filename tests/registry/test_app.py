"""Every reason not to start ends a command with one sentence and a code: never a traceback."""

import asyncio
import errno
import os
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from registry.app import open_registry
from registry.cli import main
from registry.config import load_settings
from registry.storage import markers
from registry.storage.database.sqlite import SQLiteDatabase
from registry.storage.disk.root import DATABASE, Root
from registry.storage.prepare import prepare_database
from tests.support.processes import NO_FLOOR

# One that reads the root only, and one that opens it as all others do.
OFFLINE = (("fsck",), ("gc",))
SERVE = (("serve", "--listen", "127.0.0.1:0"),)
ALL = (*SERVE, *OFFLINE)
# Every other command that opens a root; only in the table's few rows below.
OTHERS = (
    ("scrub",),
    ("unlatch",),
    ("backup", "/nowhere/backup"),
    ("undelete", "team/app:v1"),
    ("repo", "list"),
    ("repo", "size"),
    ("repo", "delete", "team/app"),
    ("repo", "undelete", "team/app"),
    ("tag", "history", "team/app"),
    ("audit", "list"),
    ("audit", "export"),
    ("audit", "verify"),
    ("upload", "list"),
    ("upload", "cancel", "--all"),
    ("user", "list"),
    ("user", "add", "ada", "--no-password"),
    ("user", "password", "ada", "--password-file", "/dev/null"),
    ("user", "set", "ada", "--disable"),
    ("user", "remove", "ada"),
    ("group", "list"),
    ("group", "add", "web"),
    ("group", "join", "web", "ada"),
    ("group", "leave", "web", "ada"),
    ("group", "remove", "web"),
    ("robot", "list"),
    ("robot", "add", "ci"),
    ("robot", "remove", "ci"),
    ("token", "list"),
    ("token", "add", "ci"),
    ("token", "revoke", "0123456789ab"),
    ("grant", "list"),
    ("grant", "add", "ada", "pull", "*"),
    ("grant", "remove", "ada", "*"),
    ("grant", "explain", "ada", "pull", "team/app"),
    ("lock", "list"),
    ("lock", "add", "releases", "--repository", "*", "--tags", "v*"),
    ("lock", "remove", "releases"),
    ("trust", "list"),
    ("trust", "add", "gh", "--issuer", "github", "--repository-id", "1", "--push", "*"),
    ("trust", "remove", "gh"),
    ("trust", "inspect", "/dev/null"),
)


@dataclass
class Start:
    """A root with an empty registry, and what a test does to it before a command is given."""

    root: Path
    patch: pytest.MonkeyPatch
    held: ExitStack
    arguments: list[str] = field(default_factory=list)

    @property
    def database(self) -> Path:
        return self.root / DATABASE


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    with Root.open(tmp_path / "root") as root:
        prepare_database(root)
    with ExitStack() as held:
        yield Start(tmp_path / "root", monkeypatch, held)


def run(start: Start, command: tuple[str, ...]) -> Result:
    return CliRunner().invoke(
        main, [*command, "--root", str(start.root), *start.arguments], env=NO_FLOOR
    )


def is_one_sentence(result: Result, expected: str) -> None:
    """Exit code 1, and one line that says what is wrong; besides, only lines of the log."""
    told = [line for line in result.output.splitlines() if not line.startswith("{")]
    assert (result.exit_code, len(told)) == (1, 1), result.output
    assert isinstance(result.exception, SystemExit)
    assert told[0].startswith("Error: ")
    assert expected in told[0]
    assert "Traceback" not in result.output


def root_is_a_file(start: Start) -> None:
    start.root = start.root.with_name("file")
    start.root.write_bytes(b"")


def root_is_below_a_file(start: Start) -> None:
    root_is_a_file(start)
    start.root /= "root"


def root_is_in_use(start: Start) -> None:
    start.held.enter_context(Root.open(start.root))


def lock_is_a_link(start: Start) -> None:
    (start.root / "lock").unlink()
    (start.root / "lock").symlink_to("elsewhere")


def database_is_removed(start: Start) -> None:
    start.database.unlink()


def database_is_emptied(start: Start) -> None:
    os.truncate(start.database, 0)


def database_is_a_directory(start: Start) -> None:
    start.database.unlink()
    start.database.mkdir()


def root_is_no_registrys(start: Start) -> None:
    start.root = start.root.with_name("empty")
    start.root.mkdir()


def database_is_garbage(start: Start) -> None:
    start.database.write_bytes(b"\xff" * 8192)


def database_is_of_a_newer_program(start: Start) -> None:
    with closing(sqlite3.connect(start.database)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")


def log_is_removed(start: Start) -> None:
    (start.root / markers.OPEN).touch()


def directory_is_a_file(start: Start) -> None:
    (start.root / "uploads").touch()


def directory_is_a_link(start: Start) -> None:
    start.root.with_name("elsewhere").mkdir()
    (start.root / "blobs").symlink_to(start.root.with_name("elsewhere"))


def disk_fails(start: Start) -> None:
    def fsync(_fd: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    start.patch.setattr(os, "fsync", fsync)


def database_fails(start: Start) -> None:
    def fail(*_arguments: Any) -> None:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR
        raise error

    start.patch.setattr(SQLiteDatabase, "__init__", fail)


def control_socket_is_a_directory(start: Start) -> None:
    (start.root / "control.sock").mkdir()


def port_is_taken(start: Start) -> None:
    taken = start.held.enter_context(socket.create_server(("127.0.0.1", 0)))
    start.arguments = ["--listen", f"127.0.0.1:{taken.getsockname()[1]}"]


def host_is_unknown(start: Start) -> None:
    start.arguments = ["--plain-http", "--listen", "no-such-host.invalid:0"]


def passwords_would_be_sent_unencrypted(start: Start) -> None:
    start.arguments = ["--listen", "0.0.0.0:0"]


def given_config(content: str) -> Callable[[Start], None]:
    def arrange(start: Start) -> None:
        file = start.root.with_name("config.toml")
        file.write_bytes(content.encode())
        start.arguments = ["--config", str(file)]

    return arrange


CASES: tuple[tuple[Callable[[Start], None], tuple[tuple[str, ...], ...], str], ...] = (
    (root_is_a_file, SERVE, "Not a directory"),
    (root_is_a_file, OFFLINE, "there is no registry here"),
    (root_is_below_a_file, SERVE, "Not a directory"),
    (root_is_below_a_file, OFFLINE, "there is no registry here"),
    (root_is_in_use, (*ALL, *OTHERS), "is in use by another registry, process"),
    (lock_is_a_link, ALL, "Too many levels of symbolic links"),
    (database_is_removed, ALL, "registry.db is missing or empty"),
    (database_is_emptied, ALL, "registry.db is missing or empty"),
    (database_is_a_directory, (*ALL, *OTHERS), "registry.db is no regular file"),
    (database_is_garbage, (*ALL, *OTHERS), "file is not a database"),
    (root_is_no_registrys, (*OFFLINE, *OTHERS), "there is no registry here; give the root"),
    (database_is_of_a_newer_program, ALL, "schema '9999', which this program does not know"),
    (log_is_removed, ALL, "the log registry.db-wal is missing"),
    (directory_is_a_file, SERVE, "uploads is no directory, expected a directory"),
    (directory_is_a_link, SERVE, "blobs is a symbolic link, expected a directory"),
    (disk_fails, SERVE, "Input/output error"),
    (database_fails, SERVE, "cannot be read or written: see to the disk (disk I/O error)"),
    (control_socket_is_a_directory, SERVE, "control.sock: Is a directory"),
    (port_is_taken, SERVE, "address already in use"),
    (host_is_unknown, SERVE, "no such host; give an address of this machine"),
    (passwords_would_be_sent_unencrypted, SERVE, "or insist with --plain-http"),
    (given_config("a = ["), ALL, "not TOML"),
    (given_config("a = " + "[" * 5000), ALL, "not TOML"),
    (given_config("[server]\nlistn = 1"), ALL, "server.listn: no such setting"),
    (given_config("[gc]\nlease_seconds = 1e18"), ALL, "gc.lease_seconds"),
)


@pytest.mark.parametrize(
    ("arrange", "command", "expected"),
    [
        pytest.param(arrange, command, expected, id=f"{arrange.__name__}-{' '.join(command)}")
        for arrange, commands, expected in CASES
        for command in commands
    ],
)
def test_a_reason_not_to_start_is_one_sentence(
    start: Start, arrange: Callable[[Start], None], command: tuple[str, ...], expected: str
) -> None:
    arrange(start)

    result = run(start, command)

    is_one_sentence(result, expected)


def test_the_table_has_every_command_that_opens_a_root() -> None:
    context = click.Context(main)
    commands = {name: main.get_command(context, name) for name in main.list_commands(context)}
    groups = {name: each for name, each in commands.items() if isinstance(each, click.Group)}
    words: set[tuple[str, ...]] = {(name,) for name in commands if name not in groups}
    words |= {(name, word) for name, group in groups.items() for word in group.commands}
    has = {command[: 2 if command[0] in groups else 1] for command in (*ALL, *OTHERS)}

    assert words - has == {("check-config",), ("restore",), ("setup",), ("user", "import")}


async def test_the_threads_that_check_passwords_end_with_the_registry(tmp_path: Path) -> None:
    settings = load_settings(
        flags={"storage.root": str(tmp_path / "root"), "disk.min_free_bytes": "0"}
    )
    with Root.open(settings.storage.root) as root:
        prepare_database(root)
        async with open_registry(settings, root) as opened:
            before = {*threading.enumerate()}
            await opened.state.identities.passwords.hash("correct horse battery")
            begun = {*threading.enumerate()} - before

    assert begun
    for thread in begun:
        await asyncio.to_thread(thread.join, 60)
        assert not thread.is_alive()
