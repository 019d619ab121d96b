"""The contracts LayerStore, LayerSource and LayerWriter, on every implementation.

They are directories unpacked by a child process, and a dictionary unpacked in this one.
"""

import errno
import gzip
import os
import stat
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from oci.digest import Digest, DigestMismatch
from oci.layer import InvalidLayer
from runner.storage.files.durable import sync_filesystem
from runner.storage.files.xattrs import is_opaque
from runner.storage.layers import store as store_module
from runner.storage.layers.contract import (
    Layer,
    LayerStore,
    LayerUnknown,
    LayerWriter,
    UnpackFailed,
)
from runner.storage.layers.store import ChildLayerWriter, DirectoryLayerStore
from tests.support.runner.archives.tar_entries import archive, directory, entry, hard_link
from tests.support.runner.layer_reboots import reboot
from tests.support.runner.memory_layers import MemoryLayerStore

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LAYER = archive(directory(b"bin"), entry(b"bin/sh", content=b"#!" * 100_000), entry(b"x/y"))
DIFF_ID = Digest.of(LAYER)
OTHER = archive(entry(b"other"))

COMPRESSED = {
    "none": LAYER,
    "gzip": gzip.compress(LAYER),
    "zstd": zstd.compress(LAYER),
}


@dataclass(frozen=True)
class Form:
    """One form of the contract.

    ``cut_power`` returns the store after a power cut.  ``fail_unpacking`` has a writer fail,
    ``fail_syncing`` the next sync.
    """

    store: LayerStore
    root: Path
    cut_power: Callable[[], Awaitable[LayerStore]]
    fail_unpacking: Callable[[LayerWriter], None]
    fail_syncing: Callable[[], None]
    # Of a store without layers.
    directories: frozenset[Path]

    def left(self) -> set[Path]:
        """Everything beneath the root that a store without layers does not have."""
        return set(self.root.rglob("*")) - self.directories


def directory_form(root: Path, patch: pytest.MonkeyPatch) -> Form:
    store = DirectoryLayerStore(root)

    async def cut_power() -> LayerStore:
        reboot(root)
        again = DirectoryLayerStore(root)
        await again.recover()
        return again

    def fail_unpacking(writer: LayerWriter) -> None:
        assert isinstance(writer, ChildLayerWriter)
        assert writer.process_id is not None
        os.kill(writer.process_id, 9)

    def fail_syncing() -> None:
        def fail_once(_: Path) -> None:
            patch.setattr(store_module, "sync_filesystem", sync_filesystem)
            raise io_error()

        patch.setattr(store_module, "sync_filesystem", fail_once)

    directories = frozenset(root.rglob("*"))
    return Form(store, root, cut_power, fail_unpacking, fail_syncing, directories)


def memory_form(root: Path, _: pytest.MonkeyPatch) -> Form:
    store = MemoryLayerStore(root)

    async def cut_power() -> LayerStore:
        await store.lose_unsynced()
        return store

    def fail_unpacking(_: LayerWriter) -> None:
        store.unpacking_fails = io_error()

    def fail_syncing() -> None:
        store.syncing_fails = io_error()

    directories = frozenset(root.rglob("*"))
    return Form(store, root, cut_power, fail_unpacking, fail_syncing, directories)


def io_error() -> OSError:
    return OSError(errno.EIO, os.strerror(errno.EIO))


@pytest.fixture(params=[directory_form, memory_form])
def form(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Form:
    made: Form = request.param(tmp_path / "layers", monkeypatch)
    return made


@pytest.fixture
def layers(form: Form) -> LayerStore:
    return form.store


async def write(
    layers: LayerStore,
    blob: bytes,
    *,
    diff_id: Digest | None = DIFF_ID,
    compression: str = "none",
    chunk_bytes: int = 65_536,
) -> Layer:
    async with layers.writer(diff_id, compression) as writer:
        for at in range(0, len(blob), chunk_bytes):
            await writer.write(blob[at : at + chunk_bytes])
        return await writer.commit()


@pytest.mark.parametrize("compression", COMPRESSED)
async def test_a_layer_is_there_after_its_commit(compression: str, layers: LayerStore) -> None:
    layer = await write(layers, COMPRESSED[compression], compression=compression)

    assert layer == layers.layer(DIFF_ID) == Layer(DIFF_ID, 3, 200_000, ("", "x"))
    assert layers.has(DIFF_ID)
    assert (await layers.directory(DIFF_ID) / "bin" / "sh").read_bytes() == b"#!" * 100_000
    assert list(layers.diff_ids()) == [DIFF_ID]


async def test_a_layer_is_not_there_before_its_commit(layers: LayerStore) -> None:
    async with layers.writer(DIFF_ID, "none") as writer:
        await writer.write(LAYER)

        assert not layers.has(DIFF_ID)
        assert list(layers.diff_ids()) == []
        await writer.commit()
        assert layers.has(DIFF_ID)


async def test_a_layer_that_is_not_there_is_unknown(layers: LayerStore) -> None:
    with pytest.raises(LayerUnknown, match=str(DIFF_ID)):
        layers.layer(DIFF_ID)
    with pytest.raises(LayerUnknown, match=str(DIFF_ID)):
        await layers.directory(DIFF_ID)


async def test_whiteouts_have_the_form_of_overlayfs(layers: LayerStore) -> None:
    blob = archive(entry(b"a/.wh.gone"), entry(b"b/.wh..wh..opq"), entry(b"b/new"))
    layer = await write(layers, blob, diff_id=None)

    shown = await layers.directory(layer.diff_id)

    gone = (shown / "a" / "gone").lstat()
    assert (stat.S_ISCHR(gone.st_mode), gone.st_rdev) == (True, 0)
    assert is_opaque(str(shown / "b"))
    assert os.listdir(shown / "b") == ["new"]


async def test_entries_that_depend_on_lower_layers_are_in_the_record(layers: LayerStore) -> None:
    blob = archive(hard_link(b"a/b", b"c"), entry(b"\xff/x"), entry(b".wh..wh..opq"))

    layer = await write(layers, blob, diff_id=None)

    assert layers.layer(layer.diff_id) == layer
    assert layer.links == (("a/b", "c"),)
    assert layer.implicit == ("", "a", os.fsdecode(b"\xff"))
    assert layer.opaque_root


async def test_a_directory_stays_until_its_layer_is_removed(layers: LayerStore) -> None:
    await write(layers, LAYER)
    first = await layers.directory(DIFF_ID)
    other = await write(layers, OTHER, diff_id=None)
    await layers.sync()
    await layers.remove(other.diff_id)

    assert await layers.directory(DIFF_ID) == first
    assert (first / "bin" / "sh").stat().st_size == 200_000
    await layers.remove(DIFF_ID)
    assert not first.exists()


async def test_fixups_go_with_their_layer(layers: LayerStore) -> None:
    await write(layers, LAYER)
    other = await write(layers, OTHER, diff_id=None)
    for diff_id in (DIFF_ID, other.diff_id):
        layers.fixups(diff_id).mkdir()
        (layers.fixups(diff_id) / "kept").write_bytes(b"kept")
    gone = layers.fixups(DIFF_ID)

    await layers.remove(DIFF_ID)

    assert not gone.exists()
    assert (layers.fixups(other.diff_id) / "kept").read_bytes() == b"kept"
    assert os.listdir(await layers.directory(other.diff_id)) == ["other"]


async def test_without_a_diff_id_the_layer_gets_its_own(layers: LayerStore) -> None:
    layer = await write(layers, COMPRESSED["gzip"], diff_id=None, compression="gzip")

    assert layer.diff_id == DIFF_ID
    assert layers.has(DIFF_ID)


async def test_sha512_is_verified_as_sha512(layers: LayerStore) -> None:
    diff_id = Digest.of(LAYER, "sha512")

    layer = await write(layers, LAYER, diff_id=diff_id)

    assert layer.diff_id == diff_id
    assert list(layers.diff_ids()) == [diff_id]


async def test_another_diff_id_is_refused_and_nothing_stays(form: Form) -> None:
    promised = Digest.of(b"another layer")

    with pytest.raises(DigestMismatch, match=str(promised)):
        await write(form.store, LAYER, diff_id=promised)

    assert list(form.store.diff_ids()) == []
    assert form.left() == set()


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
@pytest.mark.parametrize("kept", [1, 100, -1])
async def test_a_blob_cut_short_is_refused_and_nothing_stays(
    kept: int, compression: str, form: Form
) -> None:
    blob = COMPRESSED[compression][:kept]

    with pytest.raises(InvalidLayer, match=r"cut short|no end|not gzip|not zstd"):
        await write(form.store, blob, compression=compression)

    assert list(form.store.diff_ids()) == []
    assert form.left() == set()


async def test_an_invalid_entry_is_refused_and_nothing_stays(form: Form) -> None:
    with pytest.raises(InvalidLayer, match=r"layer: .*climbs"):
        await write(form.store, archive(entry(b"a"), entry(b"../x")), diff_id=None)

    assert list(form.store.diff_ids()) == []
    assert form.left() == set()


@pytest.mark.parametrize("declared", COMPRESSED)
@pytest.mark.parametrize("actual", COMPRESSED)
async def test_the_first_bytes_tell_the_compression(
    declared: str, actual: str, layers: LayerStore
) -> None:
    layer = await write(layers, COMPRESSED[actual], compression=declared)

    assert layers.has(layer.diff_id)


@pytest.mark.parametrize(
    ("declared", "refusal"), [("none", "checksum"), ("gzip", "not gzip"), ("zstd", "not zstd")]
)
async def test_where_the_first_bytes_tell_nothing_the_declared_compression_is_used(
    declared: str, refusal: str, layers: LayerStore
) -> None:
    with pytest.raises(InvalidLayer, match=refusal):
        await write(layers, b"something else" * 100, compression=declared)


@pytest.mark.parametrize("compression", COMPRESSED)
async def test_a_layer_of_no_bytes_is_an_empty_one(compression: str, layers: LayerStore) -> None:
    layer = await write(layers, b"", diff_id=Digest.of(b""), compression=compression)

    assert layer.members == 0
    assert os.listdir(await layers.directory(layer.diff_id)) == []


async def test_a_failure_of_the_machine_is_no_fault_of_the_layer(form: Form) -> None:
    async with form.store.writer(DIFF_ID, "none") as writer:
        await writer.write(LAYER[:1000])
        form.fail_unpacking(writer)
        with pytest.raises(UnpackFailed, match=str(DIFF_ID)):
            await writer.commit()

    assert not form.store.has(DIFF_ID)
    assert form.left() == set()
    await write(form.store, LAYER)
    assert form.store.has(DIFF_ID)


async def test_leaving_without_a_commit_leaves_nothing(form: Form) -> None:
    async with form.store.writer(DIFF_ID, "none") as writer:
        await writer.write(LAYER[:100_000])

    assert list(form.store.diff_ids()) == []
    assert form.left() == set()


async def test_two_writers_of_one_layer_do_not_disturb_each_other(form: Form) -> None:
    layers = form.store
    async with layers.writer(DIFF_ID, "none") as one, layers.writer(DIFF_ID, "none") as other:
        await one.write(LAYER)
        await other.write(LAYER)
        first = await one.commit()
        before = (await layers.directory(DIFF_ID)).stat()
        second = await other.commit()

    assert first == second == layers.layer(DIFF_ID)
    after = (await layers.directory(DIFF_ID)).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert list(form.root.rglob("sh")) == [await layers.directory(DIFF_ID) / "bin" / "sh"]


async def test_a_removed_layer_is_gone(layers: LayerStore) -> None:
    await write(layers, LAYER)

    await layers.remove(DIFF_ID)
    await layers.remove(DIFF_ID)

    assert not layers.has(DIFF_ID)
    assert not layers.unsynced
    assert list(layers.diff_ids()) == []
    with pytest.raises(LayerUnknown, match=str(DIFF_ID)):
        await layers.directory(DIFF_ID)


async def test_a_removed_layer_can_be_written_again(layers: LayerStore) -> None:
    first = await write(layers, LAYER)
    await layers.remove(DIFF_ID)

    assert await write(layers, LAYER) == first
    assert (await layers.directory(DIFF_ID) / "bin" / "sh").is_file()


async def test_a_removal_is_over_before_anybody_else_runs(layers: LayerStore) -> None:
    """A caller looks whether a layer is used, then removes it: nothing comes in between."""
    await write(layers, LAYER)
    removal = layers.remove(DIFF_ID)

    with pytest.raises(StopIteration):
        removal.send(None)

    assert not layers.has(DIFF_ID)


async def test_a_layer_is_unsynced_until_a_sync(layers: LayerStore) -> None:
    states = [layers.unsynced]
    await write(layers, LAYER)
    states.append(layers.unsynced)
    await layers.sync()
    states.append(layers.unsynced)

    assert states == [False, True, False]


async def test_a_power_cut_takes_a_layer_whole_and_none_that_was_synced(form: Form) -> None:
    synced = await write(form.store, LAYER)
    await form.store.sync()
    other = await write(form.store, OTHER, diff_id=None)

    after = await form.cut_power()

    assert after.layer(DIFF_ID) == synced
    assert (await after.directory(DIFF_ID) / "bin" / "sh").stat().st_size == 200_000
    assert list(after.diff_ids()) == [DIFF_ID]
    # Unpacked again from its blob.
    assert await write(after, OTHER, diff_id=None) == other
    assert os.listdir(await after.directory(other.diff_id)) == ["other"]


async def test_a_sync_that_failed_is_made_up_by_the_next(form: Form) -> None:
    await write(form.store, LAYER)
    form.fail_syncing()
    with pytest.raises(OSError, match="Input/output error"):
        await form.store.sync()

    remained = form.store.unsynced
    await form.store.sync()

    assert (remained, form.store.unsynced) == (True, False)
    assert (await form.cut_power()).has(DIFF_ID)
