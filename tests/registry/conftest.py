"""A registry's services over a root of their own."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import structlog

from registry.services.repositories import Repository
from tests.support.collecting import Collected, a_collected_service
from tests.support.storage import Service, a_service


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
async def collected(tmp_path: Path) -> AsyncIterator[Collected]:
    async with a_collected_service(tmp_path / "root") as collected:
        yield collected


@pytest.fixture
def repository(service: Service) -> Repository:
    return service.repository()
