"""Fixture of the server's tests: the application that it serves."""

import pytest

from tests.support.registry.raw_http import Probe


@pytest.fixture
def probe() -> Probe:
    return Probe()
