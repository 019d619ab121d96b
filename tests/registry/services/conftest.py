"""A registry's services over a root of their own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from registry.services.repositories import Repository
from tests.support.storage import Service, a_service


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with a_service(tmp_path / "root") as service:
        yield service


@pytest.fixture
def repository(service: Service) -> Repository:
    return service.repository()
