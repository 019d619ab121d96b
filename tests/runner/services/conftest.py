"""Fixtures of the services' tests: containers on a root of their own, real or fake."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.support.memory import directory_in_memory
from tests.support.runner.fake_runtime import FakeHost
from tests.support.runner.runner_containers import (
    RunnerContainers,
    a_run_dir,
    remove_all,
    runner_containers,
)


@pytest.fixture
def tmp_path(tmp_path: Path) -> Iterator[Path]:
    """In memory: the tests of runner.storage are on the disk, these waited for its syncs."""
    with directory_in_memory(tmp_path) as directory:
        yield directory


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


@pytest.fixture
async def fake_host() -> AsyncIterator[FakeHost]:
    host = FakeHost()
    yield host
    host.kill_all()


@pytest.fixture
async def fake_runner(tmp_path: Path, fake_host: FakeHost) -> AsyncIterator[RunnerContainers]:
    """Containers that are no processes, for which nobody has to be root."""
    async with runner_containers(tmp_path, tmp_path / "run", fake=fake_host) as composed:
        yield composed


@pytest.fixture(params=[pytest.param("runner", marks=pytest.mark.needs_root), "fake_runner"])
def any_runner(request: pytest.FixtureRequest) -> RunnerContainers:
    """Containers of the real runtime, and of a fake one."""
    found: RunnerContainers = request.getfixturevalue(request.param)
    return found
