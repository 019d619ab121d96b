"""The runner's images in this process, over a real root or in memory, and a test's registries."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import (
    AbstractContextManager,
    AsyncExitStack,
    asynccontextmanager,
    closing,
    contextmanager,
)
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

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
from runner.storage.content.contract import ContentStore
from runner.storage.content.layout import LayoutContentStore
from runner.storage.layers.contract import LayerStore
from runner.storage.layers.store import DirectoryLayerStore
from runner.storage.records.contract import RecordStore
from runner.storage.records.sqlite import Records
from runner.storage.snapshots.overlay import OverlaySnapshotter
from tests.support.runner.memory_content import MemoryContentStore
from tests.support.runner.memory_layers import MemoryLayerStore
from tests.support.runner.memory_records import MemoryRecords

IMPATIENT = RetryPolicy(first_wait_seconds=0.01)


@dataclass(frozen=True)
class Stores:
    """Where images are kept: all on the disk, or all in memory."""

    content: ContentStore
    layers: LayerStore
    records: RecordStore

    @classmethod
    @contextmanager
    def on_disk(cls, root: Path) -> Iterator[Self]:
        (root / "content").mkdir(parents=True, exist_ok=True)
        with closing(Records(root / "records.db")) as records:
            layers = DirectoryLayerStore(root / "layers")
            yield cls(LayoutContentStore(root / "content"), layers, records)

    @classmethod
    @contextmanager
    def in_memory(cls, root: Path) -> Iterator[Self]:
        layers = MemoryLayerStore(root / "layers")
        yield cls(MemoryContentStore(root / "content"), layers, MemoryRecords())


OpenStores = Callable[[Path], AbstractContextManager[Stores]]
ALL_STORES: Mapping[str, OpenStores] = {"disk": Stores.on_disk, "memory": Stores.in_memory}


@dataclass
class RunnerImages:
    """Images, and a look behind them."""

    images: Images
    store: ImageStore
    layers: LayerStore
    records: RecordStore
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
    open_stores: OpenStores = Stores.on_disk,
) -> AsyncIterator[RunnerImages]:
    """Images on this root; another of the same root goes on with what the first one left on disk.

    Without ``registries`` other registries are spoken to by HTTP.
    """
    clients = RegistryClients(insecure, auth_hosts, retry_policy)
    registries = registries or HTTPRegistries(clients)
    async with AsyncExitStack() as opened:
        stores = opened.enter_context(open_stores(root))
        opened.push_async_callback(clients.aclose)
        yield _compose(root, default_registry, registries, stores)


def _compose(
    root: Path, default_registry: str, registries: Registries, stores: Stores
) -> RunnerImages:
    layers, records = stores.layers, stores.records
    store = ImageStore(stores.content, layers, records, default_registry)
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
