"""Lifespan: start the application before serving it, and stop it afterwards.

https://asgi.readthedocs.io/en/latest/specs/lifespan.html

It replaces uvicorn's, which logs a failed start as a traceback and keeps no reason.
"""

import asyncio
import logging
from typing import Any

from uvicorn._types import ASGI3Application

from registry.errors import StartupError

log = logging.getLogger("registry.server")


class ApplicationFailed(StartupError):
    """The application's start failed; ``__cause__`` is its exception, if any."""


class Lifespan:
    """One startup and one shutdown of an application."""

    def __init__(self, app: ASGI3Application) -> None:
        self._app = app
        self._to_application: asyncio.Queue[Any] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._started = asyncio.Event()
        self._stopped = asyncio.Event()
        self._failure: str | None = None
        self._is_stopping = False
        self._is_reported = False

    async def start(self) -> None:
        """Return once the application is ready; raises ApplicationFailed with its reason."""
        self._task = asyncio.create_task(self._run(), name="lifespan")
        await self._send("lifespan.startup", self._started)
        if self._failure is not None:
            self._is_reported = True
            raise ApplicationFailed(f"the registry could not start: {self._failure}")
        if self._task.done() and (error := self._task.exception()) is not None:
            self._task = None  # raised here; nothing is left to stop
            raise failed(error) from error
        self._task.add_done_callback(self._report_early_end)

    async def stop(self) -> None:
        """Shut the application down; a failure is logged with its reason."""
        if self._task is None or self._is_stopping:
            return
        self._is_stopping = True
        if not self._task.done():
            await self._send("lifespan.shutdown", self._stopped)
        await asyncio.gather(self._task, return_exceptions=True)
        if self._is_reported:
            return
        if self._failure is not None:
            log.error("the application failed while stopping: %s", self._failure)
        elif (error := self._task.exception()) is not None:
            log.error("the application failed while stopping", exc_info=error)

    async def _send(self, kind: str, done: asyncio.Event) -> None:
        assert self._task is not None
        await self._to_application.put({"type": kind})
        waiting = asyncio.create_task(done.wait())
        await asyncio.wait({waiting, self._task}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()

    async def _run(self) -> None:
        scope: Any = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}}
        await self._app(scope, self._to_application.get, self._receive)

    async def _receive(self, message: Any) -> None:
        kind = message["type"]
        if kind.endswith(".failed"):
            self._failure = message.get("message") or "the application gave no reason"
        (self._started if kind.startswith("lifespan.startup") else self._stopped).set()

    def _report_early_end(self, task: asyncio.Task[None]) -> None:
        if not self._is_stopping and not task.cancelled():
            self._is_reported = True
            log.error("the application's lifespan ended early", exc_info=task.exception())


def failed(error: BaseException) -> ApplicationFailed:
    """The exception of a failed start, as one sentence."""
    if isinstance(error, StartupError):
        return ApplicationFailed(str(error))
    if isinstance(error, OSError):
        reason = error.strerror or str(error)
        text = reason if error.filename is None else f"{error.filename}: {reason}"
    else:
        text = f"{type(error).__name__}: {error}"
    return ApplicationFailed(f"the registry could not start: {' '.join(text.split())}")
