"""DirectoryLayerStore: a LayerStore with a directory for each layer.

    layers/<algorithm>/<encoded>/diff        the layer's files, whiteouts in overlayfs form
    layers/<algorithm>/<encoded>/layer.json  its size, and entries that depend on lower layers
    layers/ingest/<random>/                  being unpacked

Files are not synced one by one: 10,000 fsyncs take longer than everything else together.
A layer is published with the kernel's boot ID in its layer.json.  Until ``sync`` has synced the
filesystem and recorded that in the file, a layer of an earlier boot may have lost content in a
power cut, and is dropped at the start.  Its blob in the content store is synced, so the layer
can be unpacked again.

https://github.com/opencontainers/image-spec/blob/main/layer.md
https://docs.kernel.org/filesystems/overlayfs.html#whiteouts-and-opaque-directories
"""

import asyncio
import errno
import fcntl
import json
import os
import sys
import threading
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from oci.digest import LENGTHS, Digest, DigestMismatch, InvalidDigest
from oci.layer import InvalidLayer
from runner.storage.files.deletion import DeletionQueue, remove
from runner.storage.files.durable import (
    open_directory,
    spread_children,
    sync_filesystem,
    write_atomically,
)
from runner.storage.layers.contract import Layer, LayerUnknown, UnpackFailed
from runner.storage.layers.unpack import Limits
from runner.tasks.threads import in_thread

_PIPE_BYTES: Final = 1 << 20


class DirectoryLayerStore:
    """LayerStore, see the contract: published by a rename, and synced by one syncfs."""

    def __init__(self, root: Path, *, limits: Limits | None = None) -> None:
        self._root = root
        self._ingest = root / "ingest"
        self._limits = limits or Limits()
        self._known: dict[Digest, Layer] = {}
        # Each with an object of its publication: a layer may be removed and unpacked again while
        # a sync runs.  Under a lock, for layers are published and synced in threads.
        self._unsynced: dict[Digest, object] = {}
        self._unsynced_lock = threading.Lock()
        self.deletions = DeletionQueue()
        self._boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        for directory in (self._ingest, *(root / algorithm for algorithm in LENGTHS)):
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        spread_children(self._ingest)

    async def recover(self) -> tuple[Digest, ...]:
        """At the daemon's start: drop unfinished layers, and those a power cut may have corrupted.

        Returns the diff IDs of the latter.
        """
        return await in_thread(self._recover)

    def has(self, diff_id: Digest) -> bool:
        return self._find(diff_id) is not None

    def layer(self, diff_id: Digest) -> Layer:
        layer = self._find(diff_id)
        if layer is None:
            raise LayerUnknown(diff_id)
        return layer

    async def directory(self, diff_id: Digest) -> Path:
        self.layer(diff_id)
        return self._place(diff_id) / "diff"

    def fixups(self, diff_id: Digest) -> Path:
        return self._place(diff_id) / "fixups"

    def diff_ids(self) -> Iterator[Digest]:
        for algorithm in LENGTHS:
            for name in os.listdir(self._root / algorithm):
                with suppress(InvalidDigest):
                    yield Digest.parse(f"{algorithm}:{name}")

    @asynccontextmanager
    async def writer(
        self, diff_id: Digest | None, compression: str
    ) -> AsyncIterator["ChildLayerWriter"]:
        temporary = self._ingest / uuid.uuid4().hex
        try:
            await in_thread(_make_empty, temporary / "diff")
            writer = ChildLayerWriter(self, diff_id, temporary)
            try:
                await writer.start(compression, self._limits)
                yield writer
            finally:
                await writer.stop()
        finally:
            await in_thread(remove, temporary)

    async def remove(self, diff_id: Digest) -> None:
        self._remove(diff_id)

    @property
    def unsynced(self) -> bool:
        return bool(self._unsynced)

    async def sync(self) -> None:
        await in_thread(self._sync)

    def publish(self, layer: Layer, temporary: Path) -> None:
        """Publish a finished layer; blocking, called by the writer."""
        document = layer.to_json() | {"boot_id": self._boot_id}
        (temporary / "layer.json").write_text(json.dumps(document))
        with self._unsynced_lock:
            try:
                os.rename(temporary, self._place(layer.diff_id))
            except OSError as error:
                # Another writer has published the same layer.
                if error.errno not in {errno.EEXIST, errno.ENOTEMPTY}:
                    raise
            else:
                self._unsynced[layer.diff_id] = object()

    def _place(self, diff_id: Digest) -> Path:
        return self._root / diff_id.algorithm / diff_id.encoded

    def _find(self, diff_id: Digest) -> Layer | None:
        if diff_id not in self._known:
            try:
                document = json.loads((self._place(diff_id) / "layer.json").read_bytes())
            except FileNotFoundError:
                return None
            self._known[diff_id] = Layer.from_json(document)
        return self._known[diff_id]

    def _remove(self, diff_id: Digest) -> None:
        """Remove by one rename; the files are deleted in the background."""
        self._known.pop(diff_id, None)
        temporary = self._ingest / uuid.uuid4().hex
        with self._unsynced_lock, suppress(FileNotFoundError):
            self._unsynced.pop(diff_id, None)
            os.rename(self._place(diff_id), temporary)
            self.deletions.put(temporary)

    def _sync(self) -> None:
        with self._unsynced_lock:
            unsynced = dict(self._unsynced)
        if not unsynced:
            return
        sync_filesystem(self._root)
        for diff_id, publication in unsynced.items():
            self._record_synced(diff_id, publication)

    def _record_synced(self, diff_id: Digest, publication: object) -> None:
        """Record in its layer.json that a layer is synced, unless it has gone meanwhile."""
        with suppress(FileNotFoundError), open_directory(self._place(diff_id)) as directory:
            # Opened before the check: if another layer comes here after it, the file is still
            # written beside the files that were synced.
            if self._is_unsynced(diff_id, publication):
                description = Path(f"/proc/self/fd/{directory}/layer.json")
                document = json.loads(description.read_bytes()) | {"boot_id": None}
                write_atomically(description, json.dumps(document).encode())
        with self._unsynced_lock:
            if self._unsynced.get(diff_id) is publication:
                del self._unsynced[diff_id]

    def _is_unsynced(self, diff_id: Digest, publication: object) -> bool:
        with self._unsynced_lock:
            return self._unsynced.get(diff_id) is publication

    def _recover(self) -> tuple[Digest, ...]:
        for path in self._ingest.iterdir():
            self.deletions.put(path)
        dropped = []
        for diff_id in tuple(self.diff_ids()):
            place = self._place(diff_id)
            try:
                boot_id = json.loads((place / "layer.json").read_bytes())["boot_id"]
            except (OSError, ValueError, KeyError, TypeError):
                boot_id = ""
            if boot_id == self._boot_id:
                self._unsynced[diff_id] = object()
            elif boot_id is not None:
                dropped.append(diff_id)
                self._remove(diff_id)
        return tuple(dropped)


def _make_empty(directory: Path) -> None:
    directory.mkdir(parents=True)
    directory.chmod(0o755)


class ChildLayerWriter:
    """LayerWriter, see the contract: unpacks in a child process."""

    def __init__(self, store: DirectoryLayerStore, diff_id: Digest | None, temporary: Path) -> None:
        self._store = store
        self._expected = diff_id
        self._called = f"layer {diff_id}" if diff_id else "layer"
        self._aside = temporary
        self._child: asyncio.subprocess.Process | None = None

    async def start(self, compression: str, limits: Limits) -> None:
        algorithm = self._expected.algorithm if self._expected else "sha256"
        self._child = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-I", "-m", "runner.storage.layers.unpack_process"),
            *(compression, algorithm, json.dumps(asdict(limits))),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            cwd=self._aside / "diff",
        )
        stdin = self._input()
        # A larger pipe, so that the child does not block after every 64 KiB.
        with suppress(OSError):
            fcntl.fcntl(stdin.get_extra_info("pipe"), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)

    @property
    def process_id(self) -> int | None:
        """The child's pid while it runs."""
        return self._child.pid if self._child else None

    async def write(self, chunk: bytes) -> None:
        stdin = self._input()
        try:
            stdin.write(chunk)
            await stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            await self._result()
            raise UnpackFailed(f"{self._called}: the unpacker stopped reading") from None

    async def commit(self) -> Layer:
        self._input().close()
        result = await self._result()
        actual = Digest.parse(result.pop("diff_id"))
        if self._expected is not None and actual != self._expected:
            raise DigestMismatch(self._expected, actual)
        layer = Layer.from_json(result | {"diff_id": str(actual)})
        await in_thread(self._store.publish, layer, self._aside)
        return layer

    async def stop(self) -> None:
        """Kill the child."""
        child = self._child
        if child is None:
            return
        if child.returncode is None:
            with suppress(ProcessLookupError):
                child.kill()
        self._input().close()
        await child.wait()

    async def _result(self) -> dict[str, Any]:
        assert self._child is not None
        assert self._child.stdout is not None
        output = await self._child.stdout.read(-1)
        code = await self._child.wait()
        result: dict[str, Any] = json.loads(output) if output else {}
        if "refused" in result:
            raise InvalidLayer(f"{self._called}: {result['refused']}")
        if code or not result:
            reason = result.get("failed", f"the unpacker ended with code {code}")
            raise UnpackFailed(f"{self._called}: {reason}")
        return result

    def _input(self) -> asyncio.StreamWriter:
        assert self._child is not None
        assert self._child.stdin is not None
        return self._child.stdin
