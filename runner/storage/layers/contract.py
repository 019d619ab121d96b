"""LayerStore, LayerSource: the contracts of the layers that snapshots are stacked of.

https://github.com/opencontainers/image-spec/blob/main/layer.md
"""

from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, Self

from oci.digest import Digest
from runner.errors import NotFound, RunnerError


class LayerUnknown(NotFound):
    """No layer with this diff ID is unpacked here."""

    def __init__(self, diff_id: Digest) -> None:
        super().__init__(f"layer {diff_id} is not unpacked")
        self.diff_id = diff_id


class UnpackFailed(RunnerError):
    """A layer could not be unpacked by this machine: the disk is full, the process was killed."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer's metadata."""

    diff_id: Digest
    members: int
    total_bytes: int
    implicit: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    opaque_root: bool = False

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"diff_id": str(self.diff_id)}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        return cls(
            Digest.parse(document["diff_id"]),
            document["members"],
            document["total_bytes"],
            tuple(document["implicit"]),
            tuple((path, target) for path, target in document["links"]),
            document["opaque_root"],
        )


class LayerSource(Protocol):
    """Layers at rest, each under its diff ID, in whatever form they are kept.

    An unpacked layer is a directory; a layer kept as one filesystem image is the place where
    that image gets mounted.  The snapshotter sees directories and cannot tell.
    """

    def layer(self, diff_id: Digest) -> Layer:
        """The layer's record, without its files.  Raises LayerUnknown."""
        ...

    async def directory(self, diff_id: Digest) -> Path:
        """A directory that shows the layer, whiteouts in overlayfs form; LayerUnknown without.

        It stays until the layer is removed; asking again is cheap.
        """
        ...

    def fixups(self, diff_id: Digest) -> Path:
        """Where to keep what depends on the layer and is to go with it."""
        ...


class LayerWriter(Protocol):
    """One layer on its way in: ``write`` its blob's bytes, then ``commit``.

    Both raise InvalidLayer for an invalid archive, UnpackFailed for a failure of this machine.
    """

    async def write(self, chunk: bytes) -> None:
        """Write the blob's next bytes; waits while the unpacking is behind."""
        ...

    async def commit(self) -> Layer:
        """Publish the layer; DigestMismatch if its uncompressed bytes do not match the diff ID."""
        ...


class LayerStore(LayerSource, Protocol):
    """Layers at rest, as the images' services keep them.

    A layer is written through a ``LayerWriter`` and is not there until that commits; then it is
    there whole and never changes.  Two writers of one layer do not disturb each other: the
    second to commit finds the first's work and drops its own.

    A power cut may take a layer that was not synced, whole; its blob is durable, so it is
    unpacked again.

    Every implementation passes tests/runner/storage/layers/test_contract.py.
    """

    def has(self, diff_id: Digest) -> bool: ...

    def diff_ids(self) -> Iterator[Digest]:
        """Every layer, unordered."""
        ...

    def writer(
        self, diff_id: Digest | None, compression: str
    ) -> AbstractAsyncContextManager[LayerWriter]:
        """Unpack a layer while its bytes arrive; the compression is detected from the first bytes.

        ``compression`` is ``none``, ``gzip`` or ``zstd``, from the media type; used if detection
        fails.  Without a diff ID, as for an import, the layer gets its computed one.  Without a
        commit nothing remains.
        """
        ...

    async def remove(self, diff_id: Digest) -> None:
        """Remove a layer that no snapshot uses; no error if it is missing.

        Does not suspend: between a caller's check of its users and the removal nobody else runs.
        """
        ...

    @property
    def unsynced(self) -> bool:
        """Whether any layer is not synced yet."""
        ...

    async def sync(self) -> None:
        """Make every published layer durable.

        After an OSError the layers that could not be recorded as synced are left to the next sync.
        """
        ...
