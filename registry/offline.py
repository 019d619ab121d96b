"""Administrative commands given by the command line: in the server, or here without one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

from registry.admin.client import NotRunning, send_command
from registry.admin.command import Command, Document
from registry.admin.commands import COMMANDS, find, start
from registry.app import (
    existing_root,
    fill,
    hold_stopped,
    open_registry,
    open_stopped,
    takes_no_write,
)
from registry.config import Settings
from registry.logs import configure_logs

Arguments = dict[str, Any]


def administer(settings: Settings, name: str, arguments: Arguments) -> Iterator[Document]:
    """Run an administrative command: in the server of the root, or else in this process.

    Raises CommandRefused, or StartupError if neither is possible.
    """
    command = find(name, arguments)
    root = settings.storage.root if command.makes_root else existing_root(settings)
    try:
        yield from send_command(root, name, arguments)
    except NotRunning:
        configure_logs(settings.logs.format, settings.logs.level)
        if command.stopped is not None and command.stopped.applies(
            arguments, takes_no_write(settings)
        ):
            yield from iterate(read_stopped(settings, command, arguments))
        else:
            yield from run_here(settings, name, arguments, makes_root=command.makes_root)


def restore(settings: Settings, source: Path) -> Iterator[Document]:
    """Fill a new root from a backup and check it; yields the documents of fsck."""
    configure_logs(settings.logs.format, settings.logs.level)
    fill(settings, source)
    yield from iterate(read_stopped(settings, COMMANDS["fsck"], {"deep": True}))


async def read_stopped(
    settings: Settings, command: Command, arguments: Arguments
) -> AsyncGenerator[Document, None]:
    """Run a command on a root that no server uses, without changing it."""
    assert command.stopped is not None
    async with (
        open_stopped(settings) as stopped,
        aclosing(command.stopped.run(stopped, **arguments)) as documents,
    ):
        async for document in documents:
            yield document


def run_here(
    settings: Settings, name: str, arguments: Arguments, *, makes_root: bool = False
) -> Iterator[Document]:
    """Run a command in this process, on a root that no server uses."""
    # No request waits for the lock meanwhile.
    settings = replace(settings, gc=replace(settings.gc, lock_percent=100.0))
    with hold_stopped(settings, makes_root=makes_root) as root:

        async def documents() -> AsyncGenerator[Document, None]:
            async with (
                open_registry(settings, root) as opened,
                aclosing(start(opened, name, arguments)) as documents,
            ):
                async for document in documents:
                    yield document

        yield from iterate(documents())


def iterate(documents: AsyncGenerator[Document, None]) -> Iterator[Document]:
    """Yield a command's documents from an event loop of their own."""
    with asyncio.Runner() as runner:
        try:
            while True:
                yield runner.run(anext(documents))
        except StopAsyncIteration:
            return
        finally:
            runner.run(documents.aclose())
