"""Background tasks: watched, logged, restarted, and shown by readiness."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import structlog

RESTART_SECONDS = 1.0
"""Delay of the first restart; doubled for each further one."""
MAX_RESTART_SECONDS = 60.0
HEALTHY_SECONDS = 10.0
"""A restarted task that has run this long is healthy again."""

log = structlog.get_logger()


class EndedEarly(Exception):
    """A task that should run until shutdown has returned, or was cancelled from within."""


@dataclass(slots=True)
class _State:
    """One task; ``failures`` counts those since it was last healthy."""

    failures: int = 0
    is_running: bool = False
    started_at: float = 0.0


class BackgroundTasks:
    """Runs tasks until they are cancelled, and restarts each that ends before."""

    def __init__(self, restart_seconds: float = RESTART_SECONDS) -> None:
        self._restart_seconds = restart_seconds
        self._states: dict[str, _State] = {}
        self._failing: set[str] = set()

    @property
    def problem(self) -> str | None:
        """Names the tasks that are down or were just restarted; None without any."""
        down = [name for name, state in self._states.items() if not _is_healthy(state)]
        return f"background task failed: {', '.join(sorted(down))}" if down else None

    @property
    def failing(self) -> tuple[str, ...]:
        """Periodic jobs whose last run failed."""
        return tuple(sorted(self._failing))

    def job_failed(self, name: str) -> None:
        self._failing.add(name)

    def job_succeeded(self, name: str) -> None:
        self._failing.discard(name)

    @contextlib.asynccontextmanager
    async def running(
        self, name: str, work: Callable[[], Awaitable[None]], *, ends: bool = False
    ) -> AsyncIterator[None]:
        """Run ``work`` beside the block, and cancel it at the block's end.

        Work that ``ends`` may return; it is run again only if it raises.
        """
        task = asyncio.create_task(self.supervise(name, work, ends=ends), name=name)
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def supervise(
        self, name: str, work: Callable[[], Awaitable[None]], *, ends: bool = False
    ) -> None:
        """Run ``work``, again and again if it fails, until this task is cancelled."""
        state = self._states[name] = _State()
        try:
            while not await self._run_once(name, state, work, ends=ends):
                delay = self._restart_seconds * 2 ** min(state.failures - 1, 16)
                await asyncio.sleep(min(delay, MAX_RESTART_SECONDS))
        finally:
            del self._states[name]

    async def _run_once(
        self, name: str, state: _State, work: Callable[[], Awaitable[None]], *, ends: bool
    ) -> bool:
        """Run the work once; true if it ended as intended."""
        state.is_running, state.started_at = True, time.monotonic()
        try:
            await work()
            if ends:
                return True
            raise EndedEarly("returned, expected to run until shutdown")
        except asyncio.CancelledError as error:
            if _is_cancelled():
                raise
            failure: BaseException = error
        except Exception as error:  # noqa: BLE001 - logged, and the task is started again
            failure = error
        if _is_healthy(state):
            state.failures = 0
        state.failures += 1
        state.is_running = False
        log.error("background task failed, and is restarted", task=name, exc_info=failure)
        return False


def _is_cancelled() -> bool:
    """Whether this task itself was cancelled, and not something that it awaited."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _is_healthy(state: _State) -> bool:
    has_settled = time.monotonic() - state.started_at >= HEALTHY_SECONDS
    return state.is_running and (not state.failures or has_settled)
