"""A registry's services over a root of their own."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import structlog

from registry.services.repositories import Repository
from registry.storage.disk import free_space
from tests.support.registry.gc_service import GcService, a_gc_service
from tests.support.registry.storage import Service, a_service


@pytest.fixture(autouse=True, scope="session")
def small_reserve() -> Iterator[None]:
    """Each root opened in this process takes a reserve; 64 MiB in memory are 15 ms of zeros."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(free_space, "RESERVE_BYTES", 1024 * 1024)
        yield


@pytest.fixture(autouse=True)
def logs_of_this_test() -> Iterator[None]:
    """A command that runs in this process sets logs up on a stream that ends with its test."""
    yield
    structlog.reset_defaults()


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with a_service(tmp_path / "root") as service:
        yield service


@pytest.fixture
async def gc_service(tmp_path: Path) -> AsyncIterator[GcService]:
    async with a_gc_service(tmp_path / "root") as gc_service:
        yield gc_service


@pytest.fixture
def repository(service: Service) -> Repository:
    return service.repository()
