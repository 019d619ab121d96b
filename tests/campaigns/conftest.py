"""Fixture of the campaigns: one zygote, from which every server is forked."""

from collections.abc import Iterator

import pytest

from tests.campaigns.zygote import Zygote, a_zygote


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    with a_zygote() as zygote:
        yield zygote
