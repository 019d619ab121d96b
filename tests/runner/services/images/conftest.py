"""Fixtures of the images' tests: an empty registry, and a runner that knows it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.runner.fake_registry import FakeRegistry
from tests.support.runner.memory_registries import MemoryRegistries
from tests.support.runner.runner_images import RunnerImages, runner_images


@pytest.fixture
async def registry() -> AsyncIterator[FakeRegistry]:
    async with FakeRegistry() as registry:
        yield registry


@pytest.fixture
async def runner(tmp_path: Path, registry: FakeRegistry) -> AsyncIterator[RunnerImages]:
    async with runner_images(tmp_path / "runner", registry.host) as runner:
        yield runner


@pytest.fixture
def registries() -> MemoryRegistries:
    return MemoryRegistries()


@pytest.fixture
async def memory_runner(
    tmp_path: Path, registries: MemoryRegistries
) -> AsyncIterator[RunnerImages]:
    """A runner that knows only registries in memory, so that nothing is sent by HTTP."""
    root, host = tmp_path / "memory", registries.host
    async with runner_images(root, host, registries=registries) as runner:
        yield runner
