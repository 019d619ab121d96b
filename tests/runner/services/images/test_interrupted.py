"""Pulls and pushes that are cut, cancelled, or outlived by registry or runner."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from oci.digest import Digest
from oci.mediatype import OCI_LAYER_TAR
from runner.errors import Unavailable
from runner.remote.retry import RetryPolicy
from runner.schema import ProgressEvent
from runner.services.images import progress
from runner.services.images.archives.imports import ImportOptions
from tests.support.images import a_layer, a_tar, an_image
from tests.support.processes import docker_registry, make_registry_server, registry_server
from tests.support.runner.chaos import ChaosProxy
from tests.support.runner.fake_registry import FakeRegistry, Reply
from tests.support.runner.runner_images import chunked, runner_images

pytestmark = pytest.mark.takes(15)

# Bytes that do not compress, so that the blob is as large as the file.
LAYER = a_layer({"noise": os.urandom(4_000_000)}, OCI_LAYER_TAR)
SOURCE = an_image([LAYER])
BLOB = str(LAYER.descriptor.digest)
ROOTFS = a_tar({"noise": os.urandom(3_000_000), "etc/": b"", "etc/motd": b"hello"})


@pytest.fixture
async def registry() -> AsyncIterator[FakeRegistry]:
    async with FakeRegistry() as registry:
        registry.put(SOURCE)
        yield registry


@pytest.fixture(params=["ours", "docker"])
def real_registry(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The host of a registry in a process of its own."""
    if request.param == "ours":
        with registry_server(tmp_path / "registry") as server:
            yield server.host
    else:
        with docker_registry(tmp_path / "registry") as host:
            yield host


async def test_an_image_goes_to_a_registry_and_comes_back(
    real_registry: str, tmp_path: Path
) -> None:
    async with runner_images(tmp_path / "one", real_registry) as one:
        image = await one.images.import_(
            chunked(ROOTFS), ImportOptions("team/app:1"), one.on_progress
        )
        digest = await one.images.push("team/app:1", progress=one.on_progress)

    async with runner_images(tmp_path / "two", real_registry) as two:
        pulled = await two.images.pull(f"team/app:1@{digest}", progress=two.on_progress)

        assert pulled.id == image.id
        assert pulled.manifest.content == image.manifest.content
        directory = await two.store.layers.directory(Digest.of(ROOTFS))
        assert (directory / "etc/motd").read_bytes() == b"hello"


async def test_a_pull_survives_cut_connections(real_registry: str, tmp_path: Path) -> None:
    async with runner_images(tmp_path / "one", real_registry) as one:
        image = await one.images.import_(chunked(ROOTFS), ImportOptions("app"), one.on_progress)
        await one.images.push("app", progress=one.on_progress)

    async with (
        ChaosProxy(real_registry, cuts=[1_200_000, 900_000, 0, 700_000]) as proxy,
        runner_images(tmp_path / "two", proxy.host) as two,
    ):
        pulled = await two.images.pull("app", progress=two.on_progress)

        assert proxy.connections > 3
        assert pulled.id == image.id
        assert two.lies() == []


async def test_a_push_survives_cut_connections(real_registry: str, tmp_path: Path) -> None:
    async with (
        ChaosProxy(real_registry, cuts=[100, 150, 0, 200]) as proxy,
        runner_images(tmp_path / "one", proxy.host) as one,
    ):
        await one.images.import_(chunked(ROOTFS), ImportOptions("app"), one.on_progress)
        digest = await one.images.push("app", progress=one.on_progress)
        assert proxy.connections > 3

    async with runner_images(tmp_path / "two", real_registry) as two:
        assert (await two.images.pull("app", progress=two.on_progress)).manifest_digest == digest


async def test_a_push_mounts_between_repositories(real_registry: str, tmp_path: Path) -> None:
    async with runner_images(tmp_path / "one", real_registry) as one:
        await one.images.import_(chunked(ROOTFS), ImportOptions("app"), one.on_progress)
        await one.images.push("app", progress=one.on_progress)
        await one.images.tag("app", "copy")

        await one.images.push("copy", progress=one.on_progress)

        assert "Mounted from app" in one.statuses


async def test_a_cancelled_pull_is_resumed_by_the_next_runner(
    registry: FakeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On a fast machine everything before the cut arrives between two tellings.
    monkeypatch.setattr(progress, "INTERVAL_SECONDS", 0.0)
    registry.once("GET", BLOB, Reply(body=LAYER.blob, cut=2_500_000, hang=True))
    moved = asyncio.Event()

    def tell(event: ProgressEvent) -> None:
        if event.current and event.current >= 2_000_000:
            moved.set()

    async with runner_images(tmp_path / "runner", registry.host) as first:
        pull = asyncio.create_task(first.images.pull("app", progress=tell))
        await moved.wait()
        pull.cancel()
        with pytest.raises(asyncio.CancelledError):
            await pull
        assert first.images.list() == ()
        assert list(first.store.layers.diff_ids()) == []

    async with runner_images(tmp_path / "runner", registry.host) as second:
        await second.images.pull("app", progress=second.on_progress)
        assert second.lies() == []

    starts = [seen.headers.get("range") for seen in registry.asked("GET", BLOB)]
    assert starts[0] is None
    assert len(starts) == 2
    assert starts[1] is not None
    assert int(starts[1].removeprefix("bytes=").rstrip("-")) >= 2_000_000


async def test_a_second_pull_takes_over_where_the_first_was_cancelled(
    registry: FakeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On a fast machine everything before the cut arrives between two tellings.
    monkeypatch.setattr(progress, "INTERVAL_SECONDS", 0.0)
    registry.once("GET", BLOB, Reply(body=LAYER.blob, cut=2_500_000, hang=True))
    moved = asyncio.Event()

    def tell(event: ProgressEvent) -> None:
        if event.current and event.current >= 2_000_000:
            moved.set()

    async with runner_images(tmp_path / "runner", registry.host) as runner:
        first = asyncio.create_task(runner.images.pull("app", progress=tell))
        await moved.wait()
        second = asyncio.create_task(runner.images.pull("app", progress=runner.on_progress))
        await asyncio.sleep(0)
        first.cancel()
        await second

        assert runner.tags == ["app:latest"]
    assert [bool(seen.headers.get("range")) for seen in registry.asked("GET", BLOB)] == [
        False,
        True,
    ]


async def test_blobs_of_a_failed_pull_are_not_fetched_again(
    registry: FakeRegistry, tmp_path: Path
) -> None:
    registry.on("GET", BLOB, Reply(body=LAYER.blob, cut=3_000_000), Reply(503))

    async with runner_images(tmp_path / "runner", registry.host) as runner:
        with pytest.raises(Unavailable):
            await runner.images.pull("app", progress=runner.on_progress)
        registry.behaviours.clear()
        registry.seen.clear()
        await runner.images.pull("app", progress=runner.on_progress)

    (asked,) = registry.asked("GET", BLOB)
    assert int(asked.headers["range"].removeprefix("bytes=").rstrip("-")) > 2_900_000


async def test_a_pull_outlives_a_registry_killed_in_the_middle(tmp_path: Path) -> None:
    server = make_registry_server(tmp_path / "registry")
    server.start()
    restarts: list[asyncio.Task[None]] = []

    def tell(event: ProgressEvent) -> None:
        if event.current and event.current >= 1_000_000 and not restarts:
            server.kill()
            restarts.append(asyncio.create_task(asyncio.to_thread(server.start)))

    try:
        async with runner_images(tmp_path / "pusher", server.host) as pusher:
            await pusher.images.import_(chunked(ROOTFS), ImportOptions("app"), pusher.on_progress)
            await pusher.images.push("app", progress=pusher.on_progress)
        async with (
            ChaosProxy(server.host, cuts=[1_500_000]) as proxy,
            runner_images(
                tmp_path / "runner", proxy.host, retry_policy=RetryPolicy(8, 0.2)
            ) as runner,
        ):
            await runner.images.pull("app", progress=tell)

            assert restarts
            await restarts[0]
            assert runner.tags == ["app:latest"]
            assert runner.lies() == []
    finally:
        server.stop()


async def test_a_removal_during_a_pull_takes_nothing_from_it(
    registry: FakeRegistry, tmp_path: Path
) -> None:
    shared = a_layer({"shared": b"shared"})
    registry.put(an_image([shared]), "first")
    registry.put(an_image([shared, LAYER]), "second")
    registry.once("GET", BLOB, Reply(body=LAYER.blob, cut=1_500_000, hang=True))
    moved = asyncio.Event()

    def tell(event: ProgressEvent) -> None:
        if event.current and event.current >= 1_000_000:
            moved.set()

    async with runner_images(tmp_path / "runner", registry.host) as runner:
        await runner.images.pull("app:first", progress=runner.on_progress)
        pull = asyncio.create_task(runner.images.pull("app:second", progress=tell))
        await moved.wait()
        await runner.images.remove("app:first")

        assert runner.store.layers.has(shared.diff_id)
        pull.cancel()
        with pytest.raises(asyncio.CancelledError):
            await pull
        await runner.images.prune()
        assert not runner.store.layers.has(shared.diff_id)
