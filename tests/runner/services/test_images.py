"""Images: pull, push, tag, remove, against a registry in this process."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from oci.descriptor import Platform
from oci.digest import Digest
from oci.mediatype import OCI_LAYER_TAR
from runner.errors import BadRequest, Conflict, NoSuchImage, NotFound
from tests.support.fake_registry import FakeRegistry
from tests.support.images import a_layer, an_image, an_index
from tests.support.runner_images import RunnerImages, runner_images


@dataclass(frozen=True)
class User:
    """A container, as far as images care."""

    id: str
    image_id: Digest
    state: str


@pytest.fixture
async def registry() -> AsyncIterator[FakeRegistry]:
    async with FakeRegistry() as registry:
        yield registry


@pytest.fixture
async def runner(tmp_path: Path, registry: FakeRegistry) -> AsyncIterator[RunnerImages]:
    async with runner_images(tmp_path / "runner", registry.host) as runner:
        yield runner


async def test_a_pulled_image_is_unpacked_recorded_and_found(
    registry: FakeRegistry, runner: RunnerImages
) -> None:
    source = an_image([a_layer({"etc/": b"", "etc/motd": b"hello"}), a_layer({"b": b"b"})])
    registry.put(source)

    image = await runner.images.pull("app", progress=runner.tell)

    assert image.id == source.image_config.image_id
    assert image.config.diff_ids == tuple(layer.diff_id for layer in source.layers)
    first = await runner.store.layers.directory(source.layers[0].diff_id)
    assert (first / "etc/motd").read_bytes() == b"hello"
    for name in ("app", "app:latest", f"app@{source.digest}", str(image.id), image.id.encoded[:12]):
        assert runner.images.find(name).id == image.id
    assert runner.statuses[0] == "Pulling from app"
    assert f"Digest: {source.digest}" in runner.statuses
    assert runner.statuses[-1] == "Status: Downloaded newer image for app:latest"
    assert runner.statuses.count("Pull complete") == 2


async def test_pulling_again_fetches_no_layer(registry: FakeRegistry, runner: RunnerImages) -> None:
    source = an_image(2)
    registry.put(source)
    await runner.images.pull("app", progress=runner.tell)
    layers = [str(layer.descriptor.digest) for layer in source.layers]
    before = [len(registry.asked("GET", layer)) for layer in layers]

    await runner.images.pull("app", progress=runner.tell)

    assert [len(registry.asked("GET", layer)) for layer in layers] == before == [1, 1]
    assert runner.statuses[-1] == "Status: Image is up to date for app:latest"
    assert runner.statuses.count("Already exists") == 2


async def test_two_pulls_of_shared_layers_fetch_each_once(
    registry: FakeRegistry, runner: RunnerImages
) -> None:
    shared = a_layer({"shared": b"s" * 300_000})
    registry.put(an_image([shared, a_layer({"one": b"1"})]), "one")
    registry.put(an_image([shared, a_layer({"two": b"2"})]), "two")

    await asyncio.gather(
        runner.images.pull("app:one", progress=runner.tell),
        runner.images.pull("app:two", progress=runner.tell),
    )

    assert len(registry.asked("GET", str(shared.descriptor.digest))) == 1
    assert runner.tags == ["app:one", "app:two"]


async def test_an_index_gives_the_platform_asked_for(
    registry: FakeRegistry, runner: RunnerImages
) -> None:
    amd64 = an_image(seed="amd64")
    arm64 = an_image(seed="arm64", platform=Platform("linux", "arm64", "v8"))
    index = an_index(amd64, arm64)
    registry.put(index)

    chosen = await runner.images.pull("app", platform="linux/arm64", progress=runner.tell)

    assert chosen.manifest.content == arm64.manifest
    assert runner.images.find(f"app@{index.digest}").id == chosen.id
    with pytest.raises(NotFound, match=r"no matching manifest for linux/s390x .*linux/amd64"):
        await runner.images.pull("app", platform="linux/s390x", progress=runner.tell)
    with pytest.raises(BadRequest, match="invalid platform"):
        await runner.images.pull("app", platform="no such/platform/at/all", progress=runner.tell)


async def test_a_manifest_for_another_platform_is_refused_when_one_was_asked_for(
    registry: FakeRegistry, runner: RunnerImages
) -> None:
    registry.put(an_image())

    with pytest.raises(NotFound, match="the image is for linux/amd64, asked for was linux/arm64"):
        await runner.images.pull("app", platform="linux/arm64", progress=runner.tell)

    assert runner.images.list() == ()


async def test_a_pull_by_digest_names_no_tag(registry: FakeRegistry, runner: RunnerImages) -> None:
    source = an_image()
    registry.put(source)

    await runner.images.pull(f"app:other@{source.digest}", progress=runner.tell)

    (summary,) = runner.images.list()
    assert summary["RepoTags"] == []
    assert summary["RepoDigests"] == [f"app@{source.digest}"]
    with pytest.raises(NoSuchImage):
        runner.images.find("app:other")


async def test_a_tag_that_moved_leaves_the_old_image_without_a_tag(
    registry: FakeRegistry, runner: RunnerImages
) -> None:
    registry.put(an_image(seed="old"))
    old = await runner.images.pull("app", progress=runner.tell)
    registry.put(an_image(seed="new"))

    new = await runner.images.pull("app", progress=runner.tell)

    assert runner.images.find("app").id == new.id != old.id
    assert runner.images.find(str(old.id)).tags == ()
    dangling = runner.images.list({"dangling": ["true"]})
    assert [summary["Id"] for summary in dangling] == [str(old.id)]


async def test_a_pushed_image_keeps_its_exact_bytes(
    registry: FakeRegistry, runner: RunnerImages
) -> None:
    source = an_image(2, docker=True)
    registry.put(source)
    await runner.images.pull("app", progress=runner.tell)
    await runner.images.tag("app", "team/copy:1")

    digest = await runner.images.push("team/copy:1", progress=runner.tell)

    assert digest == source.digest
    media_type, content = registry.manifests["/v2/team/copy/manifests/1"]
    assert (media_type, content) == (source.media_type, source.manifest)
    assert runner.told[-1].aux == {
        "Tag": "1",
        "Digest": str(source.digest),
        "Size": len(source.manifest),
    }
    assert runner.images.find(f"team/copy@{digest}").id == source.image_config.image_id


async def test_a_push_sends_only_what_is_missing(
    registry: FakeRegistry, runner: RunnerImages
) -> None:
    source = an_image(2)
    registry.put(source)
    await runner.images.pull("app", progress=runner.tell)
    registry.blobs.pop(str(source.layers[1].descriptor.digest))

    await runner.images.push("app", progress=runner.tell)

    (sent,) = registry.asked("PUT", "/blobs/uploads/")
    assert sent.query["digest"] == [str(source.layers[1].descriptor.digest)]
    assert sent.query["_state"] == ["a/b="]
    assert runner.statuses.count("Layer already exists") == 1
    assert runner.statuses.count("Pushed") == 1


async def test_a_push_mounts_from_a_repository_known_to_hold_the_blob(
    registry: FakeRegistry, runner: RunnerImages
) -> None:
    registry.put(an_image())
    await runner.images.pull("app", progress=runner.tell)
    await runner.images.tag("app", "team/copy")
    registry.blobs.clear()

    await runner.images.push("team/copy", progress=runner.tell)

    mounts = [
        seen.query.get("from") for seen in registry.asked("POST", "/team/copy/blobs/uploads/")
    ]
    assert ["app"] in mounts


async def test_a_layer_known_in_another_compression_is_fetched_when_a_push_needs_it(
    registry: FakeRegistry, runner: RunnerImages
) -> None:
    files = {"same": b"files"}
    packed, plain = a_layer(files), a_layer(files, OCI_LAYER_TAR)
    registry.put(an_image([packed]), "packed")
    registry.put(an_image([plain], seed="plain"), "plain")
    await runner.images.pull("app:packed", progress=runner.tell)
    await runner.images.pull("app:plain", progress=runner.tell)
    assert not registry.asked("GET", str(plain.descriptor.digest))
    kept = dict(registry.blobs)
    await runner.images.tag("app:plain", "copy:plain")
    registry.behaviours.append(
        lambda seen: None if "/v2/app/" in seen.path else registry.blobs.clear()
    )
    registry.behaviours.append(
        lambda seen: registry.blobs.update(kept) if "/v2/app/" in seen.path else None
    )

    await runner.images.push("copy:plain", progress=runner.tell)

    sent = [seen.query["digest"] for seen in registry.asked("PUT", "/copy/blobs/uploads/")]
    assert [str(plain.descriptor.digest)] in sent


async def test_a_push_of_what_is_not_there_is_refused(runner: RunnerImages) -> None:
    with pytest.raises(NotFound, match="does not exist locally with the tag: nothing:latest"):
        await runner.images.push("nothing", progress=runner.tell)
    with pytest.raises(BadRequest, match="name a tag"):
        await runner.images.push(f"app@{Digest.of(b'')}", progress=runner.tell)


async def test_all_tags_of_a_repository_are_pushed(
    registry: FakeRegistry, runner: RunnerImages
) -> None:
    registry.put(an_image())
    await runner.images.pull("app", progress=runner.tell)
    for tag in ("one", "two"):
        await runner.images.tag("app", f"team/all:{tag}")

    await runner.images.push("team/all", all_tags=True, progress=runner.tell)

    pushed = {seen.path.rpartition("/")[2] for seen in registry.asked("PUT", "/manifests/")}
    assert pushed == {"one", "two"}


async def test_removing_one_of_two_names_only_untags(
    registry: FakeRegistry, runner: RunnerImages
) -> None:
    registry.put(an_image())
    image = await runner.images.pull("app", progress=runner.tell)
    await runner.images.tag("app", "app:second")

    removed = await runner.images.remove("app")

    assert [item.to_json() for item in removed] == [{"Untagged": "app:latest"}]
    assert runner.images.find("app:second").id == image.id


async def test_removing_the_last_name_deletes_the_image_and_its_bytes(
    registry: FakeRegistry, runner: RunnerImages
) -> None:
    source = an_image(2)
    registry.put(source)
    image = await runner.images.pull("app", progress=runner.tell)

    removed = await runner.images.remove("app")

    documents = [item.to_json() for item in removed]
    assert {"Untagged": "app:latest"} in documents
    assert {"Deleted": str(image.id)} in documents
    assert {"Deleted": str(source.layers[0].diff_id)} in documents
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
        await runner.images.pull(f"app:{tag}", progress=runner.tell)

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
    image = await runner.images.pull("app", progress=runner.tell)
    await runner.images.tag("app", "other")

    with pytest.raises(Conflict, match="referenced in multiple repositories"):
        await runner.images.remove(image.id.encoded[:12])
    await runner.images.remove(image.id.encoded[:12], force=True)

    assert runner.images.list() == ()


async def test_an_image_of_a_running_container_stays_even_by_force(
    registry: FakeRegistry, runner: RunnerImages
) -> None:
    registry.put(an_image())
    image = await runner.images.pull("app", progress=runner.tell)
    runner.images.users = lambda: [User("c" * 64, image.id, "running")]

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
    image = await runner.images.pull("app", progress=runner.tell)
    await runner.snapshotter.prepare("container", image.config.diff_ids)
    runner.images.users = lambda: [User("c" * 64, image.id, "exited")]

    with pytest.raises(Conflict, match="must be forced"):
        await runner.images.remove("app")
    await runner.images.remove("app", force=True)

    assert runner.images.list() == ()
    assert runner.store.layers.has(source.layers[0].diff_id)


async def test_prune_takes_what_has_no_tag_and_what_nobody_uses_only_when_asked(
    registry: FakeRegistry, runner: RunnerImages
) -> None:
    registry.put(an_image(seed="old"))
    old = await runner.images.pull("app", progress=runner.tell)
    registry.put(an_image(seed="new"))
    new = await runner.images.pull("app", progress=runner.tell)

    removed, size = await runner.images.prune()
    assert {"Deleted": str(old.id)} in [item.to_json() for item in removed]
    assert size > 0
    assert [summary["Id"] for summary in runner.images.list()] == [str(new.id)]
    runner.images.users = lambda: [User("c" * 64, new.id, "exited")]
    await runner.images.prune(everything=True)
    assert runner.tags == ["app:latest"]
    runner.images.users = tuple
    await runner.images.prune(everything=True)

    assert runner.images.list() == ()


async def test_images_survive_the_daemon(registry: FakeRegistry, tmp_path: Path) -> None:
    registry.put(an_image(labels={"team": "blue"}))
    async with runner_images(tmp_path / "again", registry.host) as first:
        image = await first.images.pull("app", progress=first.tell)

    async with runner_images(tmp_path / "again", registry.host) as second:
        found = second.images.find("app")
        inspected = second.images.inspect("app")

    assert found.id == image.id
    assert inspected["Config"]["Labels"] == {"team": "blue"}


async def test_a_layer_lost_to_a_power_cut_is_unpacked_again(
    registry: FakeRegistry, runner: RunnerImages
) -> None:
    source = an_image()
    registry.put(source)
    await runner.images.pull("app", progress=runner.tell)
    await runner.store.layers.remove(source.layers[0].diff_id)
    registry.seen.clear()

    await runner.images.recover()

    assert runner.store.layers.has(source.layers[0].diff_id)
    assert registry.seen == []


async def test_lists_are_filtered_by_label_reference_and_age(
    registry: FakeRegistry, runner: RunnerImages
) -> None:
    registry.put(an_image(seed="a", labels={"team": "blue"}), "a")
    registry.put(an_image(seed="b"), "b")
    for tag in ("a", "b"):
        await runner.images.pull(f"app:{tag}", progress=runner.tell)

    def tags(**filters: list[str]) -> list[str]:
        return sorted(t for image in runner.images.list(filters) for t in image["RepoTags"])

    assert tags(label=["team"]) == tags(label=["team=blue"]) == ["app:a"]
    assert tags(label=["team=red"]) == []
    assert tags(reference=["app:*"]) == ["app:a", "app:b"]
    assert tags(reference=["app"]) == ["app:a", "app:b"]
    assert tags(reference=["other"]) == []
    assert tags(before=["app:a"]) == []
    with pytest.raises(BadRequest, match="invalid filter 'colour'"):
        tags(colour=["blue"])


async def test_history_and_inspect_show_the_layers(
    registry: FakeRegistry, runner: RunnerImages
) -> None:
    source = an_image([a_layer({"a": b"x" * 1000}), a_layer({"b": b"y" * 10})])
    registry.put(source)
    image = await runner.images.pull("app", progress=runner.tell)

    history = runner.images.history("app")
    inspected = runner.images.inspect("app")

    assert [item["Size"] for item in history] == [10, 1000]
    assert history[0]["Id"] == str(image.id)
    assert inspected["Size"] == 1010
    assert inspected["RootFS"]["Layers"] == [str(layer.diff_id) for layer in source.layers]
    assert inspected["Architecture"] == "amd64"


@pytest.mark.parametrize("name", ["UPPER", "a//b", "app:", "app@sha256:12", "", "../etc", "a b"])
async def test_names_that_are_none_are_refused(runner: RunnerImages, name: str) -> None:
    with pytest.raises(BadRequest, match="invalid reference format"):
        await runner.images.pull(name, progress=runner.tell)
    with pytest.raises(NoSuchImage):
        runner.images.find(name)


async def test_an_ambiguous_id_is_refused(registry: FakeRegistry, runner: RunnerImages) -> None:
    # 17 images: two of them must begin with the same hex digit.
    seeds = [an_image(seed=str(number)) for number in range(17)]
    for number, source in enumerate(seeds):
        registry.put(source, f"t{number}")
        await runner.images.pull(f"app:t{number}", progress=runner.tell)
    digits = [source.image_config.image_id.encoded[0] for source in seeds]
    common = max(digits, key=digits.count)

    with pytest.raises(Conflict, match="image IDs begin like this"):
        runner.images.find(f"sha256:{common}")


async def test_what_happened_is_published(registry: FakeRegistry, runner: RunnerImages) -> None:
    registry.put(an_image())
    listening = runner.events.subscribe()
    await runner.images.pull("app", progress=runner.tell)
    await runner.images.tag("app", "two")
    await runner.images.remove("two")
    await runner.images.remove("app")

    actions = [(await anext(listening)).action for _ in range(4)]

    assert actions == ["pull", "tag", "untag", "untag"]
