"""Fixtures of the campaigns: one zygote, from which every server is forked, and a fast place."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.campaigns.zygote import Zygote, a_zygote
from tests.support.memory import directory_in_memory


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    with a_zygote() as zygote:
        yield zygote


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """In memory, where more happens in the same time: SIGKILL takes nothing from the page cache."""
    with directory_in_memory(tmp_path) as directory:
        yield directory
