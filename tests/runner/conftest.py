"""Fixtures of the runner's tests: a daemon with an image in it."""

from collections.abc import Iterator

import pytest

from tests.support.runner.runners import Runner, runner


@pytest.fixture(scope="session")
def shared_runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    """One daemon with the image ``busybox``, for tests with containers of their own."""
    with runner(tmp_path_factory.mktemp("runner") / "root") as made:
        made.import_busybox()
        yield made


@pytest.fixture
def own_runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    """A daemon with the image ``busybox`` that this test may stop, kill and start again."""
    with runner(tmp_path_factory.mktemp("runner") / "root") as made:
        made.import_busybox()
        yield made
