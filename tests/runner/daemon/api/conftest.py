"""Services with real images and volumes, and containers that are given."""

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from runner.daemon.services import Services
from runner.services.events import Events
from runner.services.volumes.volumes import Volumes
from runner.storage.records.sqlite import Records
from tests.support.runner.asked import FakeContainers
from tests.support.runner.fake_registry import FakeRegistry
from tests.support.runner.runner_images import runner_images


@pytest.fixture
def containers() -> FakeContainers:
    return FakeContainers()


@pytest.fixture
async def registry() -> AsyncIterator[FakeRegistry]:
    async with FakeRegistry() as registry:
        yield registry


@pytest.fixture
async def services(
    tmp_path: Path, containers: FakeContainers, registry: FakeRegistry
) -> AsyncIterator[Services]:
    (tmp_path / "volumes").mkdir()
    records = Records(tmp_path / "volumes.db")
    events = Events()
    async with runner_images(tmp_path / "images", registry.host) as images:
        yield cast(
            Services,
            SimpleNamespace(
                containers=containers,
                images=images.images,
                volumes=Volumes(tmp_path / "volumes", records, events, containers.list),
                events=events,
            ),
        )
    records.close()
