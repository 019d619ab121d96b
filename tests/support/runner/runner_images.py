"""The runner's images over a real root in this process, with whatever registries a test has."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from oci.digest import Digest
from runner.remote.client import RegistryClients
from runner.remote.contract import Registries
from runner.remote.registries import HTTPRegistries
from runner.remote.retry import RetryPolicy
from runner.schema import ProgressEvent
from runner.services.events import Events
from runner.services.images.image import ImageUser
from runner.services.images.images import Images
from runner.services.images.store import ImageStore
from runner.storage.content.layout import LayoutContentStore
from runner.storage.layers.store import DirectoryLayerStore
from runner.storage.records.sqlite import Records
from runner.storage.snapshots.overlay import OverlaySnapshotter

IMPATIENT = RetryPolicy(first_wait_seconds=0.01)


@dataclass
class RunnerImages:
    """Images, and a look behind them."""

    images: Images
    store: ImageStore
    layers: DirectoryLayerStore
    records: Records
    registries: Registries
    snapshotter: OverlaySnapshotter
    events: Events
    root: Path
    users: list[ImageUser]
    told: list[ProgressEvent] = field(default_factory=list)

    def on_progress(self, event: ProgressEvent) -> None:
        self.told.append(event)

    @property
    def statuses(self) -> list[str]:
        return [event.status for event in self.told]

    @property
    def tags(self) -> list[str]:
        return sorted(tag for image in self.images.list() for tag in image.tags)

    def lies(self) -> list[str]:
        """Blobs under a digest that is not theirs."""
        return [
            str(digest)
            for digest in self.store.content.digests()
            if Digest.of(self.store.content.path(digest).read_bytes(), digest.algorithm) != digest
        ]


@asynccontextmanager
async def runner_images(
    root: Path,
    default_registry: str = "registry.test",
    *,
    insecure: Sequence[str] = (),
    auth_hosts: Mapping[str, Sequence[str]] | None = None,
    retry_policy: RetryPolicy = IMPATIENT,
    registries: Registries | None = None,
) -> AsyncIterator[RunnerImages]:
    """Images on this root; another of the same root goes on with what the first one left.

    Without ``registries`` other registries are spoken to by HTTP.
    """
    clients = RegistryClients(insecure, auth_hosts, retry_policy)
    (root / "content").mkdir(parents=True, exist_ok=True)
    records = Records(root / "records.db")
    composed = _compose(root, default_registry, registries or HTTPRegistries(clients), records)
    try:
        yield composed
    finally:
        await clients.aclose()
        records.close()


def _compose(
    root: Path, default_registry: str, registries: Registries, records: Records
) -> RunnerImages:
    layers = DirectoryLayerStore(root / "layers")
    store = ImageStore(LayoutContentStore(root / "content"), layers, records, default_registry)
    snapshotter = OverlaySnapshotter(root / "snapshots", layers)
    events, users = Events(), list[ImageUser]()
    images = Images(store, registries, snapshotter, events, root / "tmp", users=lambda: users)
    return RunnerImages(
        images, store, layers, records, registries, snapshotter, events, root, users
    )


async def chunked(content: bytes, size: int = 65536) -> AsyncIterator[bytes]:
    """A body as it arrives."""
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def joined(stream: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in stream])
