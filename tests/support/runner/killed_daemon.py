"""A process with containers in it that is killed at a chosen place, as a daemon might be.

``python -m tests.support.runner.killed_daemon ROOT RUN_DIR PLACE`` creates, starts and removes a
container that brings an anonymous volume, and kills itself with SIGKILL at PLACE:
``before MODULE:NAME`` or ``after MODULE:NAME``, or ``before``/``after`` a step of a start.
"""

import asyncio
import os
import signal
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from runner.schema.mounts import MountOption
from runner.services.containers import starting
from runner.services.containers.containers import Condition
from tests.support.runner.runner_containers import runner_containers


def kill_ourselves() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def arm(place: str) -> None:
    """Put a death at the place; a function is called, and then kills us, or the other way."""
    when, _, name = place.partition(" ")
    if ":" not in name:
        steps = [
            replace(step, do=deadly(step.do, when)) if step.name == name else step
            for step in starting.STEPS
        ]
        starting.STEPS = tuple(steps)
        return
    module, _, attributes = name.partition(":")
    *path, last = attributes.split(".")
    owner = import_module(module)
    for part in path:
        owner = getattr(owner, part)
    setattr(owner, last, deadly(getattr(owner, last), when))


def deadly(function: Any, when: str) -> Any:
    if not asyncio.iscoroutinefunction(function):

        def plain(*args: Any, **kwargs: Any) -> Any:
            if when == "before":
                kill_ourselves()
            function(*args, **kwargs)
            kill_ourselves()

        return plain

    async def awaited(*args: Any, **kwargs: Any) -> Any:
        if when == "before":
            kill_ourselves()
        await function(*args, **kwargs)
        kill_ourselves()

    return awaited


async def main(root: Path, run_dir: Path, place: str) -> None:
    async with runner_containers(root, run_dir) as runner:
        arm(place)
        container = await runner.create(
            "true", auto_remove=True, mounts=(MountOption("volume", "", "/home"),)
        )
        waiter = await runner.containers.wait(container, Condition.REMOVED)
        await runner.containers.start(container)
        await waiter.result()
    sys.exit(f"not killed: nothing came by {place}")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]))
