"""What the tests of services share: containers with the real runtime, on a root of their own."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.support.runner_containers import (
    RunnerContainers,
    a_run_dir,
    remove_all,
    runner_containers,
)


@pytest.fixture
def run_dir() -> Iterator[Path]:
    with a_run_dir() as path:
        yield path


@pytest.fixture
async def runner(tmp_path: Path, run_dir: Path) -> AsyncIterator[RunnerContainers]:
    async with runner_containers(tmp_path, run_dir) as composed:
        try:
            yield composed
        finally:
            await remove_all(composed)
