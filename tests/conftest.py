"""Fixtures of all tests: the abilities of this machine, and the servers that tests talk to."""

import os
import signal
import threading
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from registry.storage.disk.free_space import RESERVE
from tests.support.logs import use_plain_logs
from tests.support.memory import directory_in_memory
from tests.support.processes import RegistryServer, registry_server

# How long an example takes is the machine's affair: no test fails of its load.
settings.register_profile("any load", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any load")
use_plain_logs()


def pytest_configure() -> None:
    """Heed SIGINT, and have every child heed it: a shell's background commands ignore it."""
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    if ignored and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)


def seconds(item: pytest.Item) -> float:
    """The seconds that the item's file takes, as its mark says; 0 without one."""
    mark = item.get_closest_marker("takes")
    return 0.0 if mark is None else float(mark.args[0])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Each worker takes the next whole file: begun last, a long one would leave the others idle.
    items.sort(key=seconds, reverse=True)
    if os.geteuid() == 0:
        return
    skip = pytest.mark.skip(reason="needs root: it makes namespaces, mounts or real containers")
    for item in items:
        if "needs_root" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def shared_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryServer]:
    """One registry process for all tests that are content with repositories of their own."""
    with registry_server(tmp_path_factory.mktemp("registry")) as server:
        yield server


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[RegistryServer]:
    """A registry process that this test may stop, kill and start again; its root is in memory.

    Only the power of a disk takes what a killed process wrote: see tests/campaigns.
    """
    with directory_in_memory(tmp_path) as place, registry_server(place / "registry") as server:
        yield server


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    """Remove the ballast of the roots that a test has made: 64 MiB each, of some 400 roots."""
    path = getattr(item, "funcargs", {}).get("tmp_path")
    yield
    if path is not None:
        for pattern in (RESERVE, f"*/{RESERVE}", f"*/*/{RESERVE}"):
            for ballast in path.glob(pattern):
                ballast.unlink(missing_ok=True)
