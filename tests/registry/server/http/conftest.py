"""Fixture of the HTTP tests: a server that reads little of a refused body, and not for long."""

from collections.abc import Iterator

import pytest

from registry.server import Server
from tests.support.registry.raw_http import Probe, running
from tests.support.registry.settings import default_limits


@pytest.fixture
def server(probe: Probe) -> Iterator[Server]:
    with running(probe, default_limits(drain_bytes=1024 * 1024, drain_seconds=0.5)) as server:
        yield server
