"""A registry's services, for what a query means to them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.storage import Service, a_service


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with a_service(tmp_path / "root") as service:
        yield service
