"""Remove and prune: docker's rules, and what goes with the last name."""

import os
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from oci.digest import Digest
from runner.errors import Conflict
from runner.services.images.images import Images
from runner.services.images.protection import PARTIAL_SECONDS
from runner.services.images.records import ImageCorrupt
from runner.services.images.removals import Deleted
from runner.services.images.store import ImageStore
from runner.storage.files import deletion
from runner.storage.layers.store import DirectoryLayerStore
from tests.support.images import a_layer, an_image
from tests.support.runner.fake_registry import FakeRegistry
from tests.support.runner.runner_images import RunnerImages


@dataclass(frozen=True)
class User:
    """A container, as far as images care."""

    id: str
    image_id: Digest
    is_running: bool


async def test_removing_one_of_two_names_only_untags(
    registry: FakeRegistry, runner: RunnerImages
) -> None:
    registry.put(an_image())
    image = await runner.images.pull("app", progress=runner.on_progress)
    await runner.images.tag("app", "app:second")

    removed = await runner.images.remove("app")

    assert removed == (Deleted(image.id, untagged="app:latest"),)
    assert runner.images.find("app:second").id == image.id


async def test_removing_the_last_name_deletes_the_image_and_its_bytes(
    registry: FakeRegistry, runner: RunnerImages
) -> None:
    source = an_image(2)
    registry.put(source)
    image = await runner.images.pull("app", progress=runner.on_progress)

    removed = await runner.images.remove("app")

    assert Deleted(image.id, untagged="app:latest") in removed
    assert Deleted(image.id, deleted=image.id) in removed
    assert Deleted(image.id, deleted=source.layers[0].diff_id) in removed
    assert runner.images.list() == ()
    assert list(runner.store.content.digests()) == []
    assert list(runner.store.layers.diff_ids()) == []


async def test_a_layer_of_two_images_goes_with_the_second(
    registry: FakeRegistry, runner: RunnerImages
) -> None:
    shared = a_layer({"shared": b"shared"})
    registry.put(an_image([shared], seed="a"), "a")
    registry.put(an_image([shared], seed="b"), "b")
    for tag in ("a", "b"):
        await runner.images.pull(f"app:{tag}", progress=runner.on_progress)

    await runner.images.remove("app:a")
    assert runner.store.layers.has(shared.diff_id)
    assert runner.store.content.has(shared.descriptor.digest)
    await runner.images.remove("app:b")

    assert not runner.store.layers.has(shared.diff_id)
    assert not runner.store.content.has(shared.descriptor.digest)


async def test_an_id_with_names_in_two_repositories_needs_force(
    registry: FakeRegistry, runner: RunnerImages
) -> None:
    registry.put(an_image())
    image = await runner.images.pull("app", progress=runner.on_progress)
    await runner.images.tag("app", "other")

    with pytest.raises(Conflict, match="referenced in multiple repositories"):
        await runner.images.remove(image.id.encoded[:12])
    await runner.images.remove(image.id.encoded[:12], force=True)

    assert runner.images.list() == ()


async def test_an_image_of_a_running_container_stays_even_by_force(
    registry: FakeRegistry, runner: RunnerImages
) -> None:
    registry.put(an_image())
    image = await runner.images.pull("app", progress=runner.on_progress)
    runner.users.append(User("c" * 64, image.id, is_running=True))

    with pytest.raises(Conflict, match="being used by running container cccccccccccc"):
        await runner.images.remove("app")
    with pytest.raises(Conflict, match="cannot be forced"):
        await runner.images.remove("app", force=True)

    assert runner.tags == ["app:latest"]


async def test_force_takes_the_image_but_not_the_layers_a_snapshot_stands_on(
    registry: FakeRegistry, runner: RunnerImages
) -> None:
    source = an_image()
    registry.put(source)
    image = await runner.images.pull("app", progress=runner.on_progress)
    await runner.snapshotter.prepare("container", image.config.diff_ids)
    runner.users.append(User("c" * 64, image.id, is_running=False))

    with pytest.raises(Conflict, match="must be forced"):
        await runner.images.remove("app")
    await runner.images.remove("app", force=True)

    assert runner.images.list() == ()
    assert runner.store.layers.has(source.layers[0].diff_id)


async def test_layers_stay_for_whoever_gets_a_snapshot_while_the_image_is_removed(
    registry: FakeRegistry, runner: RunnerImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = an_image()
    registry.put(source)
    image = await runner.images.pull("app", progress=runner.on_progress)
    keeping = runner.images.keep(image)
    keeping.__enter__()
    keys = runner.snapshotter.keys

    async def keys_just_before_there_is_one_more() -> tuple[str, ...]:
        found = await keys()
        await runner.snapshotter.prepare("container", image.config.diff_ids)
        keeping.__exit__(None, None, None)
        return found

    monkeypatch.setattr(runner.snapshotter, "keys", keys_just_before_there_is_one_more)

    await runner.images.remove("app")

    assert runner.images.list() == ()
    assert runner.store.layers.has(source.layers[0].diff_id)


async def test_a_removal_is_answered_before_the_files_are_gone(
    registry: FakeRegistry, runner: RunnerImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.put(an_image())
    await runner.images.pull("app", progress=runner.on_progress)
    may_remove = threading.Event()
    remove = deletion.remove

    def remove_when_it_may(path: Path) -> None:
        may_remove.wait(60)
        remove(path)

    monkeypatch.setattr(deletion, "remove", remove_when_it_may)
    ingest = runner.root / "layers" / "ingest"

    await runner.images.remove("app")

    assert len(list(ingest.iterdir())) == 1
    may_remove.set()
    assert isinstance(runner.layers, DirectoryLayerStore)
    runner.layers.deletions.wait()
    assert list(ingest.iterdir()) == []


async def test_prune_takes_what_has_no_tag_and_what_nobody_uses_only_when_asked(
    registry: FakeRegistry, runner: RunnerImages
) -> None:
    registry.put(an_image(seed="old"))
    old = await runner.images.pull("app", progress=runner.on_progress)
    registry.put(an_image(seed="new"))
    new = await runner.images.pull("app", progress=runner.on_progress)

    removed, size = await runner.images.prune()
    assert Deleted(old.id, deleted=old.id) in removed
    assert size > 0
    assert [summary.id for summary in runner.images.list()] == [new.id]
    runner.users.append(User("c" * 64, new.id, is_running=False))
    await runner.images.prune(everything=True)
    assert runner.tags == ["app:latest"]
    runner.users.clear()
    await runner.images.prune(everything=True)

    assert runner.images.list() == ()


def started_again(runner: RunnerImages) -> RunnerImages:
    """The same root, seen by a daemon that has not read the images' documents yet."""
    known = runner.store
    store = ImageStore(known.content, known.layers, runner.records, known.default_registry)
    images = Images(
        store, runner.registries, runner.snapshotter, runner.events, runner.root / "tmp"
    )
    return replace(runner, store=store, images=images)


@pytest.mark.parametrize("lost", ["manifest", "config"])
async def test_a_corrupt_image_keeps_nobody_from_the_others(
    lost: str, registry: FakeRegistry, runner: RunnerImages
) -> None:
    for name in ("bad", "good", "old"):
        registry.put(an_image([a_layer({name: name.encode()})], seed=name), name=name)
        await runner.images.pull(name, progress=runner.on_progress)
    bad = runner.images.find("bad")
    await runner.store.content.delete(bad.manifest_digest if lost == "manifest" else bad.id)

    again = started_again(runner)

    assert again.tags == ["bad:latest", "good:latest", "old:latest"]
    with pytest.raises(ImageCorrupt, match=r"bad.* is corrupt.*pull it again"):
        again.images.find("bad")
    await again.images.remove("old")
    await again.images.prune()
    assert again.tags == ["bad:latest", "good:latest"]
    await again.images.remove("bad")
    assert again.tags == ["good:latest"]


async def test_a_corrupt_image_is_mended_by_pulling_it_again(
    registry: FakeRegistry, runner: RunnerImages
) -> None:
    registry.put(an_image())
    image = await runner.images.pull("app", progress=runner.on_progress)
    runner.store.content.path(image.manifest_digest).write_bytes(b"changed")

    again = started_again(runner)

    await again.images.pull("app", progress=again.on_progress)

    assert again.images.find("app").id == image.id


async def test_prune_gives_back_downloads_that_were_cut_off(runner: RunnerImages) -> None:
    async with runner.store.content.ingest(Digest.of(b"whole"), 5) as ingest:
        await ingest.append(b"who")
    assert runner.images.partial_bytes == runner.images.layers_bytes() == 3

    _, freed = await runner.images.prune()

    assert freed == 3
    assert runner.images.partial_bytes == 0


async def test_a_download_cut_off_a_day_ago_goes_with_the_next_sweep_or_start(
    runner: RunnerImages,
) -> None:
    partial = runner.root / "content/ingest" / str(Digest.of(b"whole")).replace(":", "-")
    for age, left in ((PARTIAL_SECONDS - 60, 3), (PARTIAL_SECONDS + 60, 0)):
        partial.write_bytes(b"who")
        os.utime(partial, (time.time() - age,) * 2)

        await runner.images.recover()

        assert runner.images.partial_bytes == left
