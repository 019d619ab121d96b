"""Identities in this process: a fake clock, and passwords that are hashed once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from registry.auth.passwords import Passwords
from tests.support.registry.clocks import FakeClock
from tests.support.registry.identity_services import IdentityServices, identity_services


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def identified(tmp_path: Path, clock: FakeClock) -> AsyncIterator[IdentityServices]:
    async with identity_services(tmp_path / "root", clock) as identified:
        yield identified


@pytest.fixture(autouse=True)
def few_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """One hash at a time: its memory is 19 MiB."""
    monkeypatch.setattr(Passwords.__init__, "__defaults__", (1,))
