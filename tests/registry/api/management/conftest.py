"""The management API over a registry with an owner, an admin of team/*, and a user."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.registry.identified import Headers, Identified, identified
from tests.support.registry.managed import Managed


@dataclass(frozen=True)
class Callers:
    """The headers of three users."""

    owner: Headers
    lead: Headers
    bob: Headers


@pytest.fixture
async def opened(root: Path) -> AsyncIterator[Identified]:
    async with identified(root) as opened:
        yield opened


@pytest.fixture
def managed(opened: Identified) -> Managed:
    return Managed(opened)


@pytest.fixture
async def callers(opened: Identified) -> Callers:
    return Callers(
        await opened.user("ada", is_owner=True),
        await opened.user("lead", "admin team/*", "pull *"),
        await opened.user("bob", "push team/app"),
    )
