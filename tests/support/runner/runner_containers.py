"""The runner's containers with the real runc and conmon, in this process; or with fakes."""

import os
import shutil
import tarfile
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from oci.digest import Digest
from oci.manifest import ImageManifest, parse_manifest
from oci.mediatype import compression_of
from runner.config import RunnerSettings
from runner.errors import NoSuchImage
from runner.runtime.contract import Frame, Monitor, Mounter, OCIRuntime, StdStream
from runner.runtime.monitor.conmon import LOG_BYTES, Conmon
from runner.runtime.mounter import KernelMounter
from runner.runtime.oci_spec.host import Host
from runner.runtime.runc import Runc, find_executable
from runner.schema import ContainerOptions
from runner.services.containers.container_table import ContainerTable
from runner.services.containers.containers import Condition, Containers
from runner.services.containers.dependencies import ContainerDeps, Timing
from runner.services.events import Events
from runner.services.execs import Execs
from runner.services.images.image import Image as StoredImage
from runner.services.streams import ContainerStreams
from runner.services.volumes.volumes import Volumes
from runner.storage.layers.store import DirectoryLayerStore
from runner.storage.records.sqlite import Records
from runner.storage.records.values import ImageRecord
from runner.storage.snapshots.contract import Snapshotter
from runner.storage.snapshots.overlay import OverlaySnapshotter
from tests.support.images import Image, a_busybox_image, a_layer, an_image
from tests.support.runner.fake_runtime import FakeHost, FakeMonitor, FakeRuntime
from tests.support.runner.links import LinkMounter
from tests.support.runner.plain_snapshotter import PlainSnapshotter

BUSYBOX = "busybox"


class SomeImages:
    """Images by the names a test gave them; their layers are unpacked."""

    def __init__(self, layers: DirectoryLayerStore) -> None:
        self._layers = layers
        self._all: dict[str, StoredImage] = {}

    async def add(self, name: str, image: Image) -> None:
        for layer in image.layers:
            if self._layers.has(layer.diff_id):
                continue
            compression = compression_of(layer.descriptor.media_type)
            async with self._layers.writer(layer.diff_id, compression) as writer:
                await writer.write(layer.blob)
                await writer.commit()
        manifest = parse_manifest(image.manifest, image.media_type)
        assert isinstance(manifest, ImageManifest)
        image_id = Digest.of(image.config)
        record = ImageRecord(
            f"registry.test/{name}:latest", image.descriptor, image.digest, image_id, 0
        )
        self._all[name] = StoredImage(image_id, manifest, image.image_config, (record,))

    def find(self, name: str) -> StoredImage:
        if name not in self._all:
            raise NoSuchImage(name)
        return self._all[name]

    def keep(self, image: StoredImage) -> AbstractContextManager[None]:
        """Nobody removes these."""
        return nullcontext()


@dataclass
class RunnerContainers:
    """Containers, and what is around them."""

    containers: Containers
    streams: ContainerStreams
    execs: Execs
    volumes: Volumes
    events: Events
    images: SomeImages
    deps: ContainerDeps
    root: Path
    run_dir: Path

    async def create(self, *command: str, name: str | None = None, **options: Any) -> str:
        """Create a busybox container; its ID."""
        asked = replace(ContainerOptions(BUSYBOX, command=command or None), **options)
        container, _ = await self.containers.create(asked, name)
        return container.id

    async def run(self, *command: str, **options: Any) -> tuple[int, str, str]:
        """Create, start, wait, remove; exit code, stdout, stderr."""
        container = await self.create(*command, **options)
        waiter = await self.containers.wait(container, Condition.NEXT_EXIT)
        await self.containers.start(container)
        status = await waiter.result()
        output = await self.output(container)
        await self.containers.remove(container, volumes=True)
        return status.code, *output

    async def start(self, *command: str, **options: Any) -> str:
        """Create and start a busybox container; its ID."""
        container = await self.create(*command, **options)
        await self.containers.start(container)
        return container

    async def output(self, container: str) -> tuple[str, str]:
        frames = [frame async for frame in self.streams.logs(container)]
        return text_of(frames, StdStream.STDOUT), text_of(frames, StdStream.STDERR)


def text_of(frames: list[Frame], stream: StdStream = StdStream.STDOUT) -> str:
    return b"".join(frame.content for frame in frames if frame.stream is stream).decode()


@contextmanager
def a_run_dir() -> Iterator[Path]:
    """A short path, for the sockets below it."""
    path = Path(tempfile.mkdtemp(prefix="sw", dir="/run"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@dataclass(frozen=True)
class OutsideThings:
    """Dependencies of the container services: the real things, or fakes."""

    layers: DirectoryLayerStore
    snapshotter: Snapshotter
    runtime: OCIRuntime
    monitor: Monitor
    mounter: Mounter
    busybox: Image


def real_things(
    root: Path, run_dir: Path, runtime_program: str, limit_seconds: float, log_bytes: int
) -> OutsideThings:
    layers = DirectoryLayerStore(root / "layers")
    runc = find_executable(runtime_program)
    runtime = Runc(runc, run_dir / "runc", limit_seconds=limit_seconds)
    monitor = Conmon(
        find_executable("conmon"),
        runc,
        runtime.root,
        run_dir / "exits",
        Host.detect().cgroups,
        limit_seconds=limit_seconds,
        log_bytes=log_bytes,
    )
    snapshotter = OverlaySnapshotter(root / "snapshots", layers)
    mounter = KernelMounter()
    return OutsideThings(layers, snapshotter, runtime, monitor, mounter, a_busybox_image())


def fake_things(root: Path, host: FakeHost) -> OutsideThings:
    """For nobody has to be root; the image named busybox has a directory, and no programs."""
    layers = DirectoryLayerStore(root / "layers")
    directory = tarfile.TarInfo("etc")
    directory.type, directory.mode = tarfile.DIRTYPE, 0o755
    # Only root may unpack what is another's.
    directory.uid, directory.gid = os.geteuid(), os.getegid()
    return OutsideThings(
        layers,
        PlainSnapshotter(root / "snapshots", layers),
        FakeRuntime(host),
        FakeMonitor(host),
        LinkMounter(),
        an_image([a_layer({"etc": directory})], cmd=["sh"]),
    )


@asynccontextmanager
async def runner_containers(
    root: Path,
    run_dir: Path,
    *,
    runtime_program: str = "runc",
    limit_seconds: float = 60,
    log_bytes: int = LOG_BYTES,
    timing: Timing | None = None,
    fake: FakeHost | None = None,
) -> AsyncIterator[RunnerContainers]:
    """Everything a daemon has for containers; another on the same paths is the next daemon.

    With a fake host, containers are no processes, and nobody has to be root.
    """
    settings = RunnerSettings(root, run_dir, run_dir / "runner.sock")
    things = (
        fake_things(root, fake)
        if fake is not None
        else real_things(root, run_dir, runtime_program, limit_seconds, log_bytes)
    )
    records, events, table = Records(root / "records.db"), Events(), ContainerTable()
    images = SomeImages(things.layers)
    volumes = Volumes(root / "volumes", records, events, table.list)
    await images.add(BUSYBOX, things.busybox)
    deps = ContainerDeps(
        settings,
        table,
        records,
        things.snapshotter,
        images,
        volumes,
        things.runtime,
        things.monitor,
        things.mounter,
        events,
        Host.detect(),
        timing or Timing(),
    )
    containers = Containers(deps)
    streams = ContainerStreams(containers, events)
    execs = Execs(containers, things.runtime, events)
    try:
        await containers.recover()
        yield RunnerContainers(
            containers, streams, execs, volumes, events, images, deps, root, run_dir
        )
    finally:
        await execs.close()
        await containers.close()
        records.close()


async def remove_all(runner: RunnerContainers) -> None:
    """Leave nothing on the machine."""
    for container in runner.containers.list():
        await runner.containers.remove(container.id, force=True, volumes=True)


def leftovers(runner: RunnerContainers) -> list[str]:
    """Paths of containers that are still on the disk."""
    places = [runner.root / "containers", runner.root / "snapshots"]
    places += [runner.run_dir / "b", runner.run_dir / "r", runner.run_dir / "exits"]
    return [
        f"{place.name}/{name}"
        for place in places
        if place.exists()
        for name in os.listdir(place)
        if not name.startswith(".")
    ]
