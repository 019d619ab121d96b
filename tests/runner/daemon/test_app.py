"""The composition: in which order it recovers and closes, and what it has to say."""

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from runner.config import RunnerSettings
from runner.daemon.app import open_daemon
from runner.daemon.services import Services
from runner.remote.client import RegistryClients
from runner.runtime.runc import find_executable
from runner.services.containers.containers import Containers
from runner.services.execs import Execs
from runner.services.images.images import Images
from runner.storage.layers.store import DirectoryLayerStore
from runner.storage.records.sqlite import Records
from tests.support.images import an_image
from tests.support.runner.fake_registry import FakeRegistry
from tests.support.runner.runner_containers import a_run_dir
from tests.support.runner.runner_images import runner_images
from tests.support.runner.runners import runner

pytestmark = pytest.mark.needs_root


@pytest.fixture
def run_dir() -> Iterator[Path]:
    with a_run_dir() as path:
        yield path


@asynccontextmanager
async def a_daemon(root: Path, run_dir: Path) -> AsyncIterator[Services]:
    """The services of a daemon between its start and its stop."""
    async with open_daemon(RunnerSettings(root, run_dir, run_dir / "s")) as services:
        yield services


def listen(
    monkeypatch: pytest.MonkeyPatch, calls: tuple[tuple[type, str], ...]
) -> list[tuple[str, str]]:
    """The order in which these methods come to their end, by class and name."""
    ended: list[tuple[str, str]] = []

    def heard(kind: type, name: str) -> Callable[..., Any]:
        original = getattr(kind, name)

        def call(self: Any) -> Any:
            done = original(self)
            if not isinstance(done, Coroutine):
                ended.append((kind.__name__, name))
                return done

            async def awaited() -> None:
                await done
                ended.append((kind.__name__, name))

            return awaited()

        return call

    for kind, name in calls:
        monkeypatch.setattr(kind, name, heard(kind, name))
    return ended


async def test_each_is_closed_before_what_it_stands_on(
    tmp_path: Path, run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Execs tell their containers' events, containers write records, images use the clients."""
    ended = listen(
        monkeypatch,
        (
            (Execs, "close"),
            (Containers, "close"),
            (Images, "close"),
            (RegistryClients, "aclose"),
            (Records, "close"),
        ),
    )

    async with a_daemon(tmp_path / "root", run_dir):
        assert ended == []

    assert ended == [
        ("Execs", "close"),
        ("Containers", "close"),
        ("Images", "close"),
        ("RegistryClients", "aclose"),
        ("Records", "close"),
    ]


async def test_images_are_recovered_before_the_containers_that_need_their_layers(
    tmp_path: Path, run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = listen(monkeypatch, ((Images, "recover"), (Containers, "recover")))

    async with a_daemon(tmp_path / "root", run_dir):
        assert ended == [("Images", "recover"), ("Containers", "recover")]


async def test_a_start_unpacks_again_what_a_power_cut_took(tmp_path: Path, run_dir: Path) -> None:
    source = an_image()
    root, lost = tmp_path / "root", source.layers[0].diff_id
    async with FakeRegistry() as registry, runner_images(root, registry.host) as before:
        registry.put(source)
        await before.images.pull("app", progress=before.on_progress)
        await before.store.layers.remove(lost)

    layers = DirectoryLayerStore(root / "layers")
    assert not layers.has(lost)
    async with a_daemon(root, run_dir):
        assert layers.has(lost)


@pytest.mark.parametrize(
    ("version", "warned"),
    [("runc version 1.1.11", True), ("runc version 99.0.0", False)],
)
def test_the_log_warns_of_a_runtime_with_known_holes(
    version: str, warned: bool, tmp_path: Path
) -> None:
    runtime = tmp_path / "runc"
    runtime.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && exec echo "{version}"\n'
        f'exec {find_executable("runc")} "$@"\n'
    )
    runtime.chmod(0o755)

    with runner(tmp_path / "root", "--runtime", str(runtime)) as daemon:
        # Once it has answered, it has said what it had to say before listening.
        daemon("ps")
        log = daemon.server.log.read_text()

    warnings = [line for line in log.splitlines() if " WARNING " in line]
    assert len(warnings) == warned
    if warned:
        assert (
            "runner.daemon: runc 1.1.11 has known vulnerabilities (CVE-2024-21626, " in warnings[0]
        )
        assert warnings[0].endswith("or set runner.runtime to a newer runc")
