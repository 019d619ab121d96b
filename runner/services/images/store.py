"""ImageStore: the state that the image services share."""

import asyncio

from oci.digest import Digest
from runner.services.images.protection import Protection
from runner.services.images.records import ImageRecords
from runner.storage.content.contract import ContentStore
from runner.storage.layers.contract import LayerStore
from runner.storage.records.contract import RecordStore
from runner.tasks.keyed_locks import KeyedLocks

LOCAL_LAYERS = 2


class ImageStore:
    """The images of one root: their records, their blobs and layers, and what protects these.

    ``default_registry`` is the host of a reference without one.
    """

    def __init__(
        self, content: ContentStore, layers: LayerStore, records: RecordStore, default_registry: str
    ) -> None:
        self.content = content
        self.layers = layers
        self.records = ImageRecords(records, content)
        self.protection = Protection(self.records, content, layers)
        self.default_registry = default_registry
        # By diff ID: of two that make a layer, the second finds it unpacked.
        self.layer_locks = KeyedLocks[Digest]()
        # Bounds parallel unpacking from local files.
        self.local_slots = asyncio.Semaphore(LOCAL_LAYERS)
