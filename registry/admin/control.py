"""Control socket: a running server accepts administrative commands.

One line of JSON in, ``{"command": …, "arguments": {…}}``; lines of JSON out: one for each
document, then ``{"done": true}`` or ``{"refused": …}``.  A command is cancelled when its client
disconnects.  The socket has mode 0600: access to the root's files decides who may give commands.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any

import structlog

from oci.errors import OCIError
from registry.admin.command import Command, Document
from registry.admin.commands import COMMANDS, start
from registry.admin.open_registry import OpenRegistry
from registry.errors import CommandRefused, StartupError

SOCKET = "control.sock"
MAX_LINE = 64 * 1024

SECRETS = frozenset({"entries", "label", "password"})
"""The arguments of commands that are not written to the log."""

NAMES = frozenset({"id", "member", "name", "what", "who"})
"""Those in which a secret may stand by mistake: written only if they have a name's form."""
_NAME = re.compile(r"[a-z0-9][a-z0-9._/:@-]*|[0-9A-Za-z]{12}", re.ASCII)

log = structlog.get_logger()


def socket_path(directory: int) -> str:
    """The socket's path through the root's descriptor, which is short enough for any root."""
    return f"/proc/self/fd/{directory}/{SOCKET}"


@contextlib.asynccontextmanager
async def serve_commands(
    opened: OpenRegistry, commands: Mapping[str, Command] = COMMANDS
) -> AsyncIterator[None]:
    """Serve commands while the block runs; at its end running ones are cancelled."""
    running: set[asyncio.Task[None]] = set()
    directory = opened.root.directory

    def ended(task: asyncio.Task[None]) -> None:
        running.discard(task)
        report(task)

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(serve_one(opened, commands, reader, writer))
        running.add(task)
        task.add_done_callback(ended)

    remove_socket(directory)
    try:
        server = await start_server(connected, socket_path(directory))
    except OSError as error:
        raise StartupError(f"control socket {opened.root.path}/{SOCKET}: {error}") from error
    try:
        yield
    finally:
        server.close()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        remove_socket(directory)


async def start_server(connected: Any, path: str) -> asyncio.Server:
    """Listen on a socket that has mode 0600 from its creation."""
    before = os.umask(0o177)
    try:
        return await asyncio.start_unix_server(connected, path, limit=MAX_LINE)
    finally:
        os.umask(before)


def remove_socket(directory: int) -> None:
    """Remove a socket that a killed server left behind; the root is locked by this process."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(SOCKET, dir_fd=directory)


async def serve_one(
    opened: OpenRegistry,
    commands: Mapping[str, Command],
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    """Serve one command on a connection, until it ends or the client disconnects."""
    telling = asyncio.create_task(
        write_answers(opened, commands, await request_line(reader), writer)
    )
    leaving = asyncio.create_task(reader.read(1))
    try:
        await asyncio.wait({telling, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not telling.done():
            log.info("the command is cancelled: its client has disconnected")
    finally:
        telling.cancel()
        leaving.cancel()
        await asyncio.gather(telling, leaving, return_exceptions=True)
        report(telling)
        writer.close()


def report(task: asyncio.Task[None]) -> None:
    """Log the exception of an ended task, which nothing awaits."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("the control socket failed", exc_info=error)


async def request_line(reader: asyncio.StreamReader) -> bytes:
    """The request line; empty if it is too long or never arrived."""
    try:
        return await reader.readline()
    except (ValueError, ConnectionError):
        return b""


async def write_answers(
    opened: OpenRegistry,
    commands: Mapping[str, Command],
    line: bytes,
    writer: asyncio.StreamWriter,
) -> None:
    with contextlib.suppress(ConnectionError):
        async with contextlib.aclosing(run_command(opened, commands, line)) as documents:
            async for document in documents:
                writer.write(json.dumps(document).encode() + b"\n")
                await writer.drain()


async def run_command(
    opened: OpenRegistry, commands: Mapping[str, Command], line: bytes
) -> AsyncGenerator[Document, None]:
    """Run one command; yields its documents, then its end or its refusal."""
    try:
        request = parse(line)
        log.info("command", command=request.get("command"), arguments=shown(request))
        command = start(opened, request.get("command"), request.get("arguments", {}), commands)
        async with contextlib.aclosing(command) as documents:
            async for document in documents:
                yield document
    except (CommandRefused, OCIError) as error:
        yield {"refused": str(error), "kind": type(error).__name__}
    except Exception as error:
        log.exception("command failed")
        yield {"refused": f"the command failed, and the server's log has more: {error!r}"}
    else:
        yield {"done": True}


def shown(request: Mapping[str, Any]) -> object:
    """The arguments, for the log, without those that hold secrets, or may (rule LG-1)."""
    arguments = request.get("arguments")
    if not isinstance(arguments, Mapping):
        return arguments
    return {
        key: value if key not in NAMES or _NAME.fullmatch(str(value)) else "(no name)"
        for key, value in arguments.items()
        if key not in SECRETS
    }


def parse(line: bytes) -> dict[str, Any]:
    """Parse a request line; CommandRefused for anything but a JSON object."""
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):
        raise CommandRefused("expected one line of JSON") from None
    if not isinstance(request, dict):
        raise CommandRefused("expected a JSON object")
    return request
