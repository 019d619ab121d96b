"""LogRotation: rotate the logs of running containers by size.

The monitor writes to the renamed file until it reopens the log, so no line is lost.  Without a
daemon, or if a container writes too fast for the polling, the monitor itself bounds the file:
see ``Conmon``.
"""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from runner.runtime.log_files import rotate, rotated
from runner.schema.logging import LogOptions
from runner.tasks import background

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ContainerLog:
    """A container's log; ``reopen`` makes its writer reopen ``path``."""

    path: Path
    options: LogOptions
    reopen: Callable[[], None]


class LogRotation:
    """Polls the registered logs, by container ID, while there are any.

    The first look at a log comes ``interval_seconds`` after its registration, or sooner.
    """

    def __init__(self, interval_seconds: float) -> None:
        self._interval_seconds = interval_seconds
        self._logs: dict[str, ContainerLog] = {}
        self._task: asyncio.Task[None] | None = None

    def add(self, container: str, written: ContainerLog) -> None:
        """Register a running container's log, until ``remove``."""
        self._logs[container] = written
        if self._task is None or self._task.done():
            self._task = background.start(self._look(), "log rotation")

    def remove(self, container: str) -> None:
        self._logs.pop(container, None)

    async def close(self) -> None:
        self._logs.clear()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _look(self) -> None:
        while self._logs:
            await asyncio.sleep(self._interval_seconds)
            for container, written in tuple(self._logs.items()):
                try:
                    rotate_if_due(written)
                except OSError as error:
                    log.warning("log not rotated", container=container, error=str(error))
        self._task = None


def rotate_if_due(written: ContainerLog) -> None:
    """Rotate a log that has reached its size; costs a few system calls."""
    try:
        size = os.stat(written.path).st_size
    except FileNotFoundError:
        # The writer has not reopened it yet.
        return
    if size < written.options.file_bytes:
        return
    rotate(written.path, max(written.options.files - 1, 1))
    written.reopen()
    if written.options.files == 1:
        rotated(written.path, 1).unlink(missing_ok=True)
