"""Monitored: the daemon's handle on a container monitored by conmon."""

import asyncio
import os
import signal
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from runner.linux.processes import reap, reap_later
from runner.runtime.contract import ExitStatus, Launch
from runner.runtime.errors import NotRunning, RuntimeRefused
from runner.runtime.monitor.attach_socket import AttachSocket

_UNKNOWN_CODE: Final = 255

# Messages of conmon's control FIFO (conmon: src/ctrl.c).
_RESIZE: Final = b"1 %d %d\n"
_REOPEN_LOG: Final = b"2 0 0\n"


class Monitored:
    """A MonitoredContainer.

    conmon exits after it has written the exit file; a pidfd reports that, even for a conmon that
    is not our child.
    """

    def __init__(
        self, launch: Launch, exit_file: Path, pid: int, monitor_pid: int, *, adopted: bool = False
    ) -> None:
        """The pids of a new container are trusted; those of an adopted one are verified."""
        self._launch = launch
        self._exit_file = exit_file
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[ExitStatus] = self._loop.create_future()
        self._container = _open(pid, launch.id if adopted else "")
        self._pid = pid if self._container is not None else 0
        self._monitor = _open(monitor_pid, launch.id if adopted else "")
        self._watch()

    @property
    def pid(self) -> int:
        return 0 if self._ended.done() else self._pid

    async def wait(self) -> ExitStatus:
        return await asyncio.shield(self._ended)

    def signal(self, number: int) -> None:
        if self._container is None or self._ended.done():
            raise NotRunning(f"container {self._launch.id} is not running")
        try:
            signal.pidfd_send_signal(self._container, number)
        except ProcessLookupError:
            raise NotRunning(f"container {self._launch.id} is not running") from None

    async def attach(self) -> AttachSocket:
        try:
            return AttachSocket.connect(self._launch.bundle / "attach")
        except (FileNotFoundError, ConnectionRefusedError):
            raise NotRunning(f"container {self._launch.id} has no monitor to attach to") from None
        except OSError as error:
            raise RuntimeRefused(
                f"cannot attach to container {self._launch.id}: {error}"
            ) from error

    def resize(self, height: int, width: int) -> None:
        self._write_control(_RESIZE % (max(height, 0), max(width, 0)))

    def reopen_log(self) -> None:
        self._write_control(_REOPEN_LOG)

    def close(self) -> None:
        for descriptor in (self._monitor, self._container):
            if descriptor is not None:
                self._loop.remove_reader(descriptor)
        if self._monitor is not None:
            # The monitor may be our child (see linux/processes), and exit later.
            reap_later(self._monitor)
        if self._container is not None:
            os.close(self._container)
        self._monitor = self._container = None
        if not self._ended.done():
            self._ended.cancel()

    def _write_control(self, words: bytes) -> None:
        # Without a monitor the FIFO has no reader.
        with suppress(OSError):
            control = os.open(self._launch.bundle / "ctl", os.O_WRONLY | os.O_NONBLOCK)
            try:
                os.write(control, words)
            finally:
                os.close(control)

    def _watch(self) -> None:
        """Wait for the monitor, else for the container; without both, set the exit status."""
        for descriptor in (self._monitor, self._container):
            if descriptor is not None:
                self._loop.add_reader(descriptor, self._process_ended, descriptor)
                return
        self._set_exit_status()

    def _process_ended(self, descriptor: int) -> None:
        self._loop.remove_reader(descriptor)
        if descriptor == self._monitor:
            reap(descriptor)
            os.close(descriptor)
            self._monitor = None
            if not self._exit_file.exists():
                # The monitor was killed; the container may still run.
                self._watch()
                return
        self._set_exit_status()

    def _set_exit_status(self) -> None:
        if not self._ended.done():
            self._ended.set_result(self._exit_status())

    def _exit_status(self) -> ExitStatus:
        """Read conmon's exit file; a missing file means that the exit was not observed."""
        try:
            code = int(self._exit_file.read_text(encoding="ascii"))
            finished = datetime.fromtimestamp(self._exit_file.stat().st_mtime, UTC)
        except (OSError, ValueError):
            reason = "its monitor was killed, or the host restarted: the exit code is not known"
            return ExitStatus(_UNKNOWN_CODE, datetime.now(UTC), error=reason)
        return ExitStatus(code & 0xFF, finished, (self._launch.bundle / "oom").exists())


def _open(pid: int, container: str) -> int | None:
    """Open a pidfd of the container's process or monitor; None if it has exited.

    Without ``container`` the pid is trusted.  The pidfd is opened before the check, so that a
    reused pid is noticed.
    """
    if pid <= 0:
        return None
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        return None
    if not container or _is_of_container(pid, container):
        return descriptor
    os.close(descriptor)
    return None


def _is_of_container(pid: int, container: str) -> bool:
    """Check the container ID in the command line (conmon) or cgroup (the container's process)."""
    needle = container.encode()
    for name in ("cmdline", "cgroup"):
        with suppress(OSError):
            if needle in Path(f"/proc/{pid}/{name}").read_bytes():
                return True
    return False
