"""Fixtures of the images' tests: an empty registry, and a runner that knows it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.runner.fake_registry import FakeRegistry
from tests.support.runner.memory_registries import MemoryRegistries
from tests.support.runner.runner_images import (
    ALL_STORES,
    OpenStores,
    RunnerImages,
    runner_images,
)


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


@pytest.fixture(params=ALL_STORES)
def open_stores(request: pytest.FixtureRequest) -> OpenStores:
    return ALL_STORES[request.param]


@pytest.fixture
async def memory_runner(
    tmp_path: Path, registries: MemoryRegistries, open_stores: OpenStores
) -> AsyncIterator[RunnerImages]:
    """A runner that knows only registries in memory, so that nothing is sent by HTTP."""
    async with runner_images(
        tmp_path / "memory", registries.host, registries=registries, open_stores=open_stores
    ) as runner:
        yield runner
