"""Search: the names that users give images, and the images that they find."""

import pytest

from oci.descriptor import Platform
from runner.errors import BadRequest, Conflict, NoSuchImage
from runner.services.images.search import (
    find,
    find_to_remove,
    is_id,
    parse_platform,
    parse_reference,
    parse_tag_reference,
)
from tests.support.images import an_image
from tests.support.runner.memory_registries import MemoryRegistries
from tests.support.runner.runner_images import RunnerImages


@pytest.mark.parametrize("name", ["app", "app:latest", "registry.test/app"])
def test_a_name_is_completed_by_the_default_registry_and_tag(
    name: str, memory_runner: RunnerImages
) -> None:
    assert str(parse_reference(memory_runner.store, name)) == "registry.test/app:latest"


@pytest.mark.parametrize("name", ["", "App", "app:", "a b"])
def test_an_invalid_reference_is_refused(name: str, memory_runner: RunnerImages) -> None:
    with pytest.raises(BadRequest, match="invalid reference format"):
        parse_reference(memory_runner.store, name)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (f"app@sha256:{'a' * 64}", "expected a tag, found a digest"),
        (f"registry.test/{'a' * 64}:1", "64 hex characters are an image ID"),
    ],
)
def test_a_new_name_must_be_a_tag_and_no_id(
    name: str, reason: str, memory_runner: RunnerImages
) -> None:
    with pytest.raises(BadRequest, match=reason):
        parse_tag_reference(memory_runner.store, name)


def test_a_platform_is_parsed_and_an_empty_one_is_none() -> None:
    assert parse_platform("linux/arm64/v8") == Platform("linux", "arm64", "v8")
    assert parse_platform("") is None
    with pytest.raises(BadRequest):
        parse_platform("linux")


async def test_an_image_is_found_by_name_digest_id_and_prefix(
    memory_runner: RunnerImages, registries: MemoryRegistries
) -> None:
    source = an_image()
    registries.content("app").put(source)
    image = await memory_runner.images.pull("app", progress=memory_runner.on_progress)
    encoded = image.id.encoded

    for name in ("app", f"app@{source.digest}", encoded, f"sha256:{encoded}", encoded[:12]):
        assert find(memory_runner.store, name).id == image.id
        assert find_to_remove(memory_runner.store, name).id == image.id
    assert is_id(encoded[:12], image)
    assert not is_id("app", image)


@pytest.mark.parametrize("name", ["nobody", "0" * 64, f"app@sha256:{'0' * 64}", "///"])
def test_an_unknown_name_finds_none(name: str, memory_runner: RunnerImages) -> None:
    with pytest.raises(NoSuchImage):
        find(memory_runner.store, name)


async def test_a_prefix_of_two_ids_is_refused(
    memory_runner: RunnerImages, registries: MemoryRegistries
) -> None:
    sources = [an_image(seed=str(number)) for number in range(17)]
    for number, source in enumerate(sources):
        registries.content(f"app{number}").put(source)
        await memory_runner.images.pull(f"app{number}", progress=memory_runner.on_progress)
    # Of seventeen IDs two begin with the same of sixteen characters.
    starts = [source.image_config.image_id.encoded[0] for source in sources]
    shared = next(start for start in starts if starts.count(start) > 1)

    with pytest.raises(Conflict, match="image IDs begin like this"):
        find(memory_runner.store, shared)
