"""MemoryLayerStore: a LayerStore that unpacks in this process and ends with it, for tests."""

import os
import shutil
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from oci.digest import Digest, Digester, DigestMismatch
from oci.errors import OCIError
from oci.layer import InvalidLayer
from runner.storage.layers.contract import Layer, LayerUnknown, UnpackFailed
from runner.storage.layers.unpack import Unpacked, unpack
from runner.storage.tar.decompress import (
    DECOMPRESSORS,
    START_BYTES,
    InvalidCompression,
    find_compression,
    inflate,
)
from runner.tasks.threads import in_thread


@dataclass(frozen=True)
class Placed:
    """A committed layer, and the directory that has its ``diff`` and its ``fixups``."""

    layer: Layer
    place: Path


class MemoryLayerStore:
    """LayerStore, see the contract: its records are a dictionary.

    The layers' files are below ``root``, since stacks are made of directories.  The next
    unpacking, or the next sync, raises ``unpacking_fails``, ``syncing_fails`` if there is one.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self.placed: dict[Digest, Placed] = {}
        self.unsynced_diff_ids: set[Digest] = set()
        self.unpacking_fails: OSError | None = None
        self.syncing_fails: OSError | None = None

    def has(self, diff_id: Digest) -> bool:
        return diff_id in self.placed

    def layer(self, diff_id: Digest) -> Layer:
        return self._placed(diff_id).layer

    async def directory(self, diff_id: Digest) -> Path:
        return self._placed(diff_id).place / "diff"

    def fixups(self, diff_id: Digest) -> Path:
        return self._placed(diff_id).place / "fixups"

    def diff_ids(self) -> Iterator[Digest]:
        yield from tuple(self.placed)

    @asynccontextmanager
    async def writer(
        self, diff_id: Digest | None, compression: str
    ) -> AsyncIterator["MemoryLayerWriter"]:
        place = self._root / uuid.uuid4().hex
        try:
            yield MemoryLayerWriter(self, diff_id, compression, place)
        finally:
            if place not in {placed.place for placed in self.placed.values()}:
                shutil.rmtree(place, ignore_errors=True)

    async def remove(self, diff_id: Digest) -> None:
        self.unsynced_diff_ids.discard(diff_id)
        placed = self.placed.pop(diff_id, None)
        if placed is not None:
            shutil.rmtree(placed.place)

    @property
    def unsynced(self) -> bool:
        return bool(self.unsynced_diff_ids)

    async def sync(self) -> None:
        failure, self.syncing_fails = self.syncing_fails, None
        if failure is not None:
            raise failure
        self.unsynced_diff_ids.clear()

    async def lose_unsynced(self) -> None:
        """Lose what a power cut may take."""
        for diff_id in tuple(self.unsynced_diff_ids):
            await self.remove(diff_id)

    def _placed(self, diff_id: Digest) -> Placed:
        if diff_id not in self.placed:
            raise LayerUnknown(diff_id)
        return self.placed[diff_id]


class MemoryLayerWriter:
    """LayerWriter, see the contract: keeps the blob's bytes until the commit unpacks them."""

    def __init__(
        self, store: MemoryLayerStore, diff_id: Digest | None, compression: str, place: Path
    ) -> None:
        self._store = store
        self._expected = diff_id
        self._compression = compression
        self._place = place
        self._blob = bytearray()

    async def write(self, chunk: bytes) -> None:
        self._blob += chunk

    async def commit(self) -> Layer:
        called = f"layer {self._expected}" if self._expected else "layer"
        try:
            actual, unpacked = await in_thread(self._unpack)
        except (OCIError, InvalidCompression) as error:
            raise InvalidLayer(f"{called}: {error}") from error
        except OSError as error:
            raise UnpackFailed(f"{called}: {error}") from error
        if self._expected is not None and actual != self._expected:
            raise DigestMismatch(self._expected, actual)
        layer = _described(actual, unpacked)
        if not self._store.has(actual):
            self._store.placed[actual] = Placed(layer, self._place)
            self._store.unsynced_diff_ids.add(actual)
        return layer

    def _unpack(self) -> tuple[Digest, Unpacked]:
        failure, self._store.unpacking_fails = self._store.unpacking_fails, None
        if failure is not None:
            raise failure
        digester = Digester(self._expected.algorithm if self._expected else "sha256")
        diff = self._place / "diff"
        diff.mkdir(parents=True)
        diff.chmod(0o755)
        root = os.open(diff, os.O_RDONLY | os.O_DIRECTORY)
        try:
            unpacked = unpack(self._digested(digester), root)
        finally:
            os.close(root)
        return digester.digest(), unpacked

    def _digested(self, digester: Digester) -> Iterator[bytes]:
        """The layer's uncompressed bytes."""
        blob = bytes(self._blob)
        compression = find_compression(blob[:START_BYTES], self._compression)
        for chunk in inflate(DECOMPRESSORS[compression](), [blob] if blob else []):
            digester.update(chunk)
            yield chunk


def _described(diff_id: Digest, unpacked: Unpacked) -> Layer:
    return Layer(
        diff_id,
        unpacked.members,
        unpacked.total_bytes,
        tuple(os.fsdecode(path) for path in unpacked.implicit),
        tuple((os.fsdecode(path), os.fsdecode(target)) for path, target in unpacked.links),
        unpacked.opaque_root,
    )
