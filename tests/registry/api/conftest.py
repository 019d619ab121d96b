"""The whole application, in this process, over a root of its own."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from registry.api.application import Application
from registry.app import build_application
from registry.background import BackgroundTasks
from registry.config import (
    AccessSettings,
    Anonymous,
    LogSettings,
    ManifestSettings,
    Settings,
    Sparse,
    StorageSettings,
)
from registry.storage.disk.root import Root
from tests.support.memory import directory_in_memory
from tests.support.registry.schema import upgrade
from tests.support.registry.wire import lived

Opener = Callable[..., AbstractAsyncContextManager[httpx2.AsyncClient]]


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """Where the registry keeps everything: in memory if it can, for disks are tested elsewhere."""
    with directory_in_memory(tmp_path) as directory:
        yield directory / "root"


@pytest.fixture
def open_registry(root: Path) -> Opener:
    """Opens the registry of this test, as often as it likes, each time with other settings."""

    @asynccontextmanager
    async def opened(
        anonymous: Anonymous = "push", sparse: Sparse = "refuse"
    ) -> AsyncIterator[httpx2.AsyncClient]:
        settings = Settings(
            access=AccessSettings(anonymous),
            storage=StorageSettings(root),
            manifests=ManifestSettings(sparse),
            logs=LogSettings(requests=False),
        )
        with Root.open(root) as opened_root:
            upgrade(opened_root.database)
            async with lived(
                build_application(settings, opened_root, BackgroundTasks())
            ) as application:
                yield client_of(application)

    return opened


@pytest.fixture
async def client(open_registry: Opener) -> AsyncIterator[httpx2.AsyncClient]:
    async with open_registry() as client:
        yield client


def client_of(application: Application) -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(app=application)
    return httpx2.AsyncClient(transport=transport, base_url="http://registry.test")
