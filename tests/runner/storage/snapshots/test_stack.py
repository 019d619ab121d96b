"""Stacks: more directories than one mount takes, and more layers than anybody stacks."""

import os
from dataclasses import asdict
from pathlib import Path

import pytest

from oci.digest import Digest
from oci.layer import InvalidLayer
from runner.linux.mounts import MAX_LOWER, Mount, mount, unmount
from runner.storage.layers.contract import Layer
from runner.storage.layers.store import DirectoryLayerStore
from runner.storage.layers.unpack import unpack
from runner.storage.snapshots.stack import lower_directories
from tests.support.runner.archives.tar_entries import DIRECTORY, archive, entry

pytestmark = [pytest.mark.needs_root, pytest.mark.takes(12)]


def put(layers: DirectoryLayerStore, content: bytes, aside: Path) -> Digest:
    """Unpack a layer in this process: hundreds of children take minutes."""
    (aside / "diff").mkdir(parents=True)
    descriptor = os.open(aside / "diff", os.O_RDONLY)
    try:
        found = asdict(unpack([content], descriptor))
    finally:
        os.close(descriptor)
    implicit = tuple(os.fsdecode(path) for path in found["implicit"])
    layer = Layer(Digest.of(content), found["members"], found["total_bytes"], implicit)
    layers.publish(layer, aside)
    return layer.diff_id


@pytest.fixture
def layers(tmp_path: Path) -> DirectoryLayerStore:
    return DirectoryLayerStore(tmp_path / "layers")


@pytest.mark.parametrize("count", [125, 300])
async def test_many_layers_whose_directories_are_described_beneath(
    layers: DirectoryLayerStore, tmp_path: Path, count: int
) -> None:
    base = archive(
        entry(b"d", DIRECTORY, mode=0o711, uid=7), entry(b"d/old"), entry(b"d/kept", mode=0o640)
    )
    archives = [archive(entry(b"d/%d" % n, content=b"%d" % n)) for n in range(1, count)]
    archives[1] = archive(entry(b"d/.wh.old"), entry(b"d/2", content=b"2"))
    diff_ids = [
        put(layers, content, tmp_path / f"aside-{number}")
        for number, content in enumerate([base, *archives])
    ]

    lower = await lower_directories(layers, diff_ids)

    assert len(lower) == MAX_LOWER - 1
    assert await lower_directories(layers, diff_ids) == lower
    place = tmp_path / "mounted"
    place.mkdir()
    mount(Mount("overlay", "overlay", ("ro",), lower=tuple(map(str, lower))), place)
    try:
        found = (place / "d").stat()
        assert (found.st_mode & 0o7777, found.st_uid) == (0o711, 7)
        assert set(os.listdir(place / "d")) == {"kept", *(str(n) for n in range(1, count))}
        for n in range(1, count):
            assert (place / "d" / str(n)).read_text() == str(n)
    finally:
        unmount(place)


async def test_fixups_of_a_stack_go_with_its_layers(
    layers: DirectoryLayerStore, tmp_path: Path
) -> None:
    base = archive(entry(b"d", DIRECTORY, mode=0o711))
    archives = [base, *(archive(entry(b"d/%d" % n)) for n in range(100))]
    diff_ids = [put(layers, content, tmp_path / f"aside-{n}") for n, content in enumerate(archives)]
    flat = (await lower_directories(layers, diff_ids))[-1]
    assert flat.name.startswith("flat-")

    for diff_id in diff_ids:
        await layers.remove(diff_id)

    assert not flat.exists()


async def test_more_layers_than_can_be_stacked_are_refused(layers: DirectoryLayerStore) -> None:
    with pytest.raises(InvalidLayer, match="501 layers, expected at most 500"):
        await lower_directories(layers, [Digest.of(b"")] * 501)
