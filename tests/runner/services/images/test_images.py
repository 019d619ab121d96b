"""Images: found, listed, shown, and there again after a restart."""

import errno
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from runner.errors import BadRequest, Conflict
from runner.services.images.records import ImageCorrupt
from tests.support.images import a_layer, an_image
from tests.support.runner.fake_registry import FakeRegistry
from tests.support.runner.runner_images import RunnerImages, runner_images


async def test_images_survive_the_daemon(registry: FakeRegistry, tmp_path: Path) -> None:
    registry.put(an_image(labels={"team": "blue"}))
    async with runner_images(tmp_path / "again", registry.host) as first:
        image = await first.images.pull("app", progress=first.on_progress)

    async with runner_images(tmp_path / "again", registry.host) as second:
        found = second.images.find("app")
        inspected = second.images.inspect("app")

    assert found.id == image.id
    assert inspected.config.labels == {"team": "blue"}


async def test_a_layer_lost_to_a_power_cut_is_unpacked_again(
    registry: FakeRegistry, runner: RunnerImages
) -> None:
    source = an_image()
    registry.put(source)
    await runner.images.pull("app", progress=runner.on_progress)
    await runner.store.layers.remove(source.layers[0].diff_id)
    registry.seen.clear()

    await runner.images.recover()

    assert runner.store.layers.has(source.layers[0].diff_id)
    assert registry.seen == []


async def test_partial_files_that_cannot_be_removed_do_not_keep_the_daemon_from_starting(
    runner: RunnerImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse_content(idle_seconds: float = 0) -> int:
        raise PermissionError(errno.EPERM, "of a blob")

    def refuse_scratch(scratch: Path) -> None:
        raise PermissionError(errno.EPERM, "of an archive")

    monkeypatch.setattr(runner.store.content.partial, "discard", refuse_content)
    monkeypatch.setattr("runner.services.images.images.drop_spooled", refuse_scratch)

    with capture_logs() as logs:
        await runner.images.recover()

    assert [(each["event"], each["error"]) for each in logs] == [
        ("partial files not removed", "[Errno 1] of an archive"),
        ("partial files not removed", "[Errno 1] of a blob"),
    ]


async def test_lists_are_filtered_by_label_reference_and_age(
    registry: FakeRegistry, runner: RunnerImages
) -> None:
    registry.put(an_image(seed="a", labels={"team": "blue"}), "a")
    registry.put(an_image(seed="b"), "b")
    for tag in ("a", "b"):
        await runner.images.pull(f"app:{tag}", progress=runner.on_progress)

    def tags(**filters: list[str]) -> list[str]:
        return sorted(t for image in runner.images.list(filters) for t in image.tags)

    assert tags(label=["team"]) == tags(label=["team=blue"]) == ["app:a"]
    assert tags(label=["team=red"]) == []
    assert tags(reference=["app:*"]) == ["app:a", "app:b"]
    assert tags(reference=["app"]) == ["app:a", "app:b"]
    assert tags(reference=["other"]) == []
    assert tags(before=["app:a"]) == []
    with pytest.raises(BadRequest, match="invalid filter 'colour'"):
        tags(colour=["blue"])


async def test_before_and_since_compare_times_whatever_their_offset(
    registry: FakeRegistry, runner: RunnerImages
) -> None:
    """As texts, the first would be the newest of all."""
    times = (
        "2026-01-01T09:00:00+09:00",
        "2026-01-01T01:00:00Z",
        "2026-01-01T01:00:00.5Z",
        "no time",
    )
    for number, text in enumerate(times):
        registry.put(an_image(seed=f"{number}", created=text), f"{number}")
        await runner.images.pull(f"app:{number}", progress=runner.on_progress)

    def tags(**filters: list[str]) -> list[str]:
        return sorted(t for image in runner.images.list(filters) for t in image.tags)

    assert tags(before=["app:1"]) == ["app:0", "app:3"]
    assert tags(since=["app:1"]) == ["app:2"]


async def test_history_and_inspect_show_the_layers(
    registry: FakeRegistry, runner: RunnerImages
) -> None:
    source = an_image([a_layer({"a": b"x" * 1000}), a_layer({"b": b"y" * 10})])
    registry.put(source)
    image = await runner.images.pull("app", progress=runner.on_progress)

    history = runner.images.history("app")
    inspected = runner.images.inspect("app")

    assert [step.size for step in history] == [10, 1000]
    assert (history[0].image_id, history[0].tags) == (image.id, ("app:latest",))
    assert inspected.size == 1010
    assert inspected.config.diff_ids == tuple(layer.diff_id for layer in source.layers)
    assert inspected.config.platform.architecture == "amd64"


async def test_an_ambiguous_id_is_refused(registry: FakeRegistry, runner: RunnerImages) -> None:
    # Of 17 images two must begin with the same hex digit.
    sources = [an_image(seed=str(number)) for number in range(17)]
    digits = [source.image_config.image_id.encoded[0] for source in sources]
    common = max(digits, key=digits.count)
    for number, source in enumerate(sources):
        if digits[number] == common:
            registry.put(source, f"t{number}")
            await runner.images.pull(f"app:t{number}", progress=runner.on_progress)

    with pytest.raises(Conflict, match="image IDs begin like this"):
        runner.images.find(f"sha256:{common}")


async def test_changes_are_published(registry: FakeRegistry, runner: RunnerImages) -> None:
    registry.put(an_image())
    listening = runner.events.subscribe()
    await runner.images.pull("app", progress=runner.on_progress)
    await runner.images.tag("app", "two")
    await runner.images.remove("two")
    await runner.images.remove("app")

    actions = [(await anext(listening)).action for _ in range(4)]

    assert actions == ["pull", "tag", "untag", "untag"]


@pytest.mark.parametrize("content", [None, b"other bytes"])
async def test_a_corrupt_image_is_named_and_healed_by_a_pull(
    registry: FakeRegistry, tmp_path: Path, content: bytes | None
) -> None:
    source = an_image()
    registry.put(source)
    async with runner_images(tmp_path / "again", registry.host) as first:
        await first.images.pull("app", progress=first.on_progress)
        place = first.store.content.path(source.digest)
    place.unlink()
    if content is not None:
        place.write_bytes(content)

    async with runner_images(tmp_path / "again", registry.host) as second:
        with pytest.raises(ImageCorrupt, match=r"is corrupt: .*; pull it again"):
            second.images.find("app")
        await second.images.pull("app", progress=second.on_progress)

        assert second.images.find("app").manifest.content == source.manifest
