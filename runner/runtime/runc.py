"""runc (or crun) as a child process.

https://github.com/opencontainers/runc/blob/main/man/runc.8.md
"""

import json
import os
import shutil
import stat
from pathlib import Path
from typing import Final

from runner.runtime.children import ENVIRONMENT, LIMIT_SECONDS, run
from runner.runtime.contract import ContainerState, ExecProcess, ProcessSpec, RuntimeState
from runner.runtime.errors import ContainerUnknown, RuntimeRefused
from runner.runtime.execs import PID_FILE_PREFIX, spawn
from runner.runtime.messages import refusal

_STATES: Final = {state.value: state for state in ContainerState}


class Runc:
    """An OCIRuntime; ``root`` is its state directory."""

    def __init__(
        self, executable: str, root: Path, *, limit_seconds: float = LIMIT_SECONDS
    ) -> None:
        self.executable = executable
        self.root = root
        self._limit_seconds = limit_seconds
        # Left by execs interrupted by the daemon's death.
        for pid_file in root.glob(f"{PID_FILE_PREFIX}*"):
            pid_file.unlink(missing_ok=True)
        # With --log set, runc writes only the message to stderr.
        self._command = (executable, f"--root={root}", "--log=/dev/null")

    async def start(self, container: str) -> None:
        await self._do("start", container)

    async def kill(self, container: str, signal: int) -> None:
        await self._do("kill", container, str(signal))

    async def pause(self, container: str) -> None:
        await self._do("pause", container)

    async def resume(self, container: str) -> None:
        await self._do("resume", container)

    async def delete(self, container: str, *, force: bool = False) -> None:
        try:
            await self._do("delete", *(["--force"] if force else []), container)
        except ContainerUnknown:
            return

    async def state(self, container: str) -> RuntimeState:
        output = await self._do("state", container)
        document = json.loads(output)
        status = _STATES.get(document["status"], ContainerState.RUNNING)
        return RuntimeState(status, document.get("pid", 0), Path(document["bundle"]))

    async def exec(
        self, container: str, process: ProcessSpec, *, open_stdin: bool = False
    ) -> ExecProcess:
        return await spawn(
            self._command[:2],
            container,
            process,
            root=self.root,
            open_stdin=open_stdin,
            limit_seconds=self._limit_seconds,
        )

    async def _do(self, verb: str, *arguments: str) -> bytes:
        completed = await run((*self._command, verb, *arguments), self._limit_seconds)
        if completed.code != 0:
            raise refusal(completed.errors)
        return completed.output


def find_executable(name: str) -> str:
    """The absolute path of a program, given by path or found in the fixed PATH.

    It will run as root, so only root may be able to write to it.  Raises RuntimeRefused.
    """
    found = shutil.which(name, path=ENVIRONMENT["PATH"])
    if found is None:
        raise RuntimeRefused(f"{name} is not installed, or cannot be executed")
    path = os.path.realpath(found)
    status = os.stat(path)
    if status.st_uid not in (0, os.geteuid()) or status.st_mode & (stat.S_IWOTH | stat.S_IWGRP):
        raise RuntimeRefused(
            f"{path} is writable by others than its owner: refused to run it as root"
        )
    return path
