"""Operations: start, stop, kill, pause, remove and rename one container, under its lock."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Final

from runner.errors import RunnerError
from runner.runtime.errors import NotRunning
from runner.services.containers import removal, starting
from runner.services.containers.dependencies import ContainerDeps
from runner.services.containers.handle import ContainerHandle, Run
from runner.services.containers.lifecycle import ALIVE, Operation, State
from runner.services.containers.starting import StartAborted
from runner.services.containers.supervisor import Supervisor
from runner.services.signals import parse_signal

_KILL: Final = 9


class NotKilled(RunnerError):
    """The container's first process survived SIGKILL."""

    def __init__(self, container: str, seconds: float) -> None:
        super().__init__(
            f"cannot kill container {container}: it did not end within {seconds:g} seconds"
        )


class Operations:
    """The operations on one container.  ``on_removed`` is called with a removed container."""

    def __init__(
        self,
        deps: ContainerDeps,
        supervisor: Supervisor,
        on_removed: Callable[[ContainerHandle], None],
    ) -> None:
        self._deps = deps
        self._supervisor = supervisor
        self._on_removed = on_removed

    async def start(self, handle: ContainerHandle) -> None:
        handle.check(Operation.START)
        await handle.wait_released()
        try:
            await self._start(handle)
        except RunnerError:
            if handle.desired.options.auto_remove:
                await self.remove_released(handle, volumes=True)
            raise
        self._deps.publish(handle, "start")
        self._supervisor.watch(handle)

    async def _start(self, handle: ContainerHandle) -> None:
        """Start the container in a task that ``abort_start`` can cancel."""
        run = handle.run = Run()
        run.starting = asyncio.create_task(starting.start(self._deps, handle, run))
        try:
            await run.starting
        except asyncio.CancelledError:
            raise StartAborted(handle.id) from None
        finally:
            run.starting = None
            if handle.state is not State.RUNNING:
                handle.end_run()

    async def abort_start(self, handle: ContainerHandle) -> bool:
        """Cancel a start in progress, without the lock; False if there is none."""
        task = handle.run.starting if handle.run is not None else None
        if task is None:
            return False
        task.cancel()
        await asyncio.wait([task])
        return handle.state not in ALIVE

    async def stop(
        self, handle: ContainerHandle, grace_seconds: int | None, signal: int | None
    ) -> None:
        """Send the stop signal, and SIGKILL after the grace period.  Called without the lock."""
        if await self.abort_start(handle):
            return
        handle.check(Operation.STOP)
        number = parse_signal(handle.desired.stop_signal) if signal is None else signal
        grace = handle.desired.stop_timeout if grace_seconds is None else grace_seconds
        run = handle.run
        await self._send(handle, number, resume=True)
        try:
            async with asyncio.timeout(None if grace < 0 else grace):
                await handle.wait_released()
        except TimeoutError:
            # Kill only this run: another may have started.
            if handle.run is run:
                await self._end(handle)
        self._deps.publish(handle, "stop")

    async def kill(self, handle: ContainerHandle, number: int) -> None:
        """Send a signal; wait for the exit after SIGKILL.  Called without the lock."""
        ends = (_KILL, parse_signal(handle.desired.stop_signal))
        if number in ends and await self.abort_start(handle):
            return
        handle.check(Operation.KILL)
        if number == _KILL:
            await self._end(handle)
        else:
            # A frozen process handles no signal, not even SIGKILL.
            await self._send(handle, number, resume=number in ends)

    async def _send(self, handle: ContainerHandle, number: int, *, resume: bool) -> None:
        """Send a signal; no error if the process has exited."""
        monitored = handle.monitored
        if monitored is None:
            return
        with suppress(NotRunning):
            monitored.signal(number)
            self._deps.publish(handle, "kill", signal=str(number))
        if handle.state is State.PAUSED and resume:
            with suppress(NotRunning):
                await self._resume(handle)

    async def pause(self, handle: ContainerHandle) -> None:
        handle.check(Operation.PAUSE)
        await self._deps.runtime.pause(handle.id)
        await self._deps.observe(handle, state=State.PAUSED)
        self._deps.publish(handle, "pause")

    async def unpause(self, handle: ContainerHandle) -> None:
        handle.check(Operation.UNPAUSE)
        await self._resume(handle)

    async def remove(self, handle: ContainerHandle, *, force: bool, volumes: bool) -> None:
        if force and handle.state in ALIVE:
            await self._end(handle)
        handle.check(Operation.REMOVE)
        await self.remove_released(handle, volumes=volumes)

    async def rename(self, handle: ContainerHandle, new: str) -> None:
        old, handle.name = handle.name, new
        try:
            await self._deps.save(handle)
        except RunnerError:
            handle.name = old
            raise
        self._deps.publish(handle, "rename", oldName=f"/{old}")

    async def _end(self, handle: ContainerHandle) -> None:
        """Kill the container if it runs, and wait until its run is cleaned up.

        Raises NotKilled if the process survives SIGKILL.
        """
        run = handle.run
        if run is None:
            return
        if handle.state in ALIVE:
            await self._send(handle, _KILL, resume=True)
            seconds = self._deps.timing.kill_seconds
            try:
                async with asyncio.timeout(seconds):
                    await run.released.wait()
            except TimeoutError:
                if handle.run is run and handle.state in ALIVE:
                    raise NotKilled(handle.id, seconds) from None
        await run.released.wait()

    async def _resume(self, handle: ContainerHandle) -> None:
        await self._deps.runtime.resume(handle.id)
        if handle.state is State.PAUSED:
            await self._deps.observe(handle, state=State.RUNNING)
            self._deps.publish(handle, "unpause")

    async def remove_released(self, handle: ContainerHandle, *, volumes: bool) -> None:
        """Remove a container once its run is cleaned up, or finish an interrupted removal."""
        await handle.wait_released()
        status = handle.observed.exit_status
        try:
            if volumes:
                await removal.mark_volumes_for_removal(self._deps, handle)
            await removal.remove(self._deps, handle)
        except BaseException as error:
            # Notify those waiting for the removal; the client may try again.
            handle.waiters.removed(replace(status, error=f"not removed: {error}"))
            raise
        self._on_removed(handle)
        if volumes:
            await removal.remove_volumes(self._deps, handle)
        self._deps.publish(handle, "destroy")
        handle.waiters.removed(status)
