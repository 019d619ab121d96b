"""A registry's services over a root of their own."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from registry.services.repositories import Repository
from registry.storage.disk import free_space
from tests.support.logs import use_plain_logs
from tests.support.memory import directory_in_memory
from tests.support.registry.gc_service import SECOND, GcService, a_gc_service
from tests.support.registry.settings import default_retention
from tests.support.registry.storage import Service, a_service

ON_DISK = {"storage", "server"}
WINDOW = default_retention(lease_ms=60 * SECOND, epoch_ms=10 * SECOND, undelete_ms=600 * SECOND)


@pytest.fixture
def tmp_path(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """In memory, but for the tests whose subject is the disk, or the page cache before it.

    The rest waited for syncs: a commit of the database is two, a new root's directories are 257.
    """
    if ON_DISK & set(request.path.parts):
        yield tmp_path
        return
    with directory_in_memory(tmp_path) as directory:
        yield directory


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
    use_plain_logs()


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with a_service(tmp_path / "root") as service:
        yield service


@pytest.fixture
async def gc_service(tmp_path: Path) -> AsyncIterator[GcService]:
    async with a_gc_service(tmp_path / "root") as gc_service:
        yield gc_service


@pytest.fixture
async def window(tmp_path: Path) -> AsyncIterator[GcService]:
    """A registry whose undelete window is ten minutes."""
    async with a_gc_service(tmp_path / "root", retention=WINDOW) as gc_service:
        yield gc_service


@pytest.fixture
def repository(service: Service) -> Repository:
    return service.repository()
