"""A registry's services over a root of their own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from registry.services.repositories import Repository
from tests.support.collecting import Collected, a_collected_service
from tests.support.storage import Service, a_service


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with a_service(tmp_path / "root") as service:
        yield service


@pytest.fixture
async def collected(tmp_path: Path) -> AsyncIterator[Collected]:
    async with a_collected_service(tmp_path / "root") as collected:
        yield collected


@pytest.fixture
def repository(service: Service) -> Repository:
    return service.repository()
