"""A process with containers in it, as a daemon has them, for a test to kill.

``python -m tests.support.runner.container_daemon ROOT RUN_DIR COMMAND…`` creates and starts a
container from the command, writes its ID, and goes on living.
"""

import asyncio
import sys
from pathlib import Path

from tests.support.runner.runner_containers import runner_containers


async def main(root: Path, run_dir: Path, command: list[str]) -> None:
    async with runner_containers(root, run_dir) as runner:
        container = await runner.start(*command)
        sys.stdout.write(f"{container}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]))
