"""The commands on repositories and tags: list, delete, size, history."""

import pytest

from oci.reference import Tag
from registry.admin.open_registry import OpenRegistry
from registry.errors import CommandRefused, ManifestUnknown, NameUnknown
from tests.registry.admin.conftest import repository, told
from tests.support.images import an_image
from tests.support.registry.storage import push_image

IMAGE = an_image(layers=2)


async def fill(opened: OpenRegistry, *names: str) -> None:
    for name in names:
        await push_image(repository(opened, name), IMAGE, Tag("v1"))


async def test_repositories_are_listed_by_name(opened: OpenRegistry) -> None:
    await fill(opened, "b", "a/b", "a")

    assert await told(opened, "repo list") == [{"name": "a"}, {"name": "a/b"}, {"name": "b"}]


async def test_a_deleted_repository_is_not_listed(opened: OpenRegistry) -> None:
    await fill(opened, "a", "b")

    [answer] = await told(opened, "repo delete", name="a")

    assert answer == {"name": "a", "undelete_seconds": opened.settings.gc.undelete_seconds}
    assert await told(opened, "repo list") == [{"name": "b"}]
    with pytest.raises(NameUnknown):
        await told(opened, "repo delete", name="a")


async def test_sizes_are_of_all_of_one_and_of_a_tag(opened: OpenRegistry) -> None:
    await fill(opened, "a", "b")

    every = await told(opened, "repo size")
    [one] = await told(opened, "repo size", name="a")
    [tag] = await told(opened, "repo size", name="a", tag="v1")

    assert [each["name"] for each in every] == ["a", "b"]
    assert every[0] == one
    assert tag["name"] == "a:v1"
    content = sum(map(len, IMAGE.blobs.values())) + len(IMAGE.manifest)
    assert one["bytes"] == tag["bytes"] == content
    with pytest.raises(ManifestUnknown):
        await told(opened, "repo size", name="a", tag="v2")


async def test_the_history_of_tags_has_the_deletions_of_the_repository(
    opened: OpenRegistry,
) -> None:
    await fill(opened, "a")
    await told(opened, "repo delete", name="a")
    await fill(opened, "a")

    changes = await told(opened, "tag history", name="a", tag="v1")

    assert ["deletion" in change for change in changes] == [False, True, False]
    assert changes[1]["deletion"]["identity"] == "operator"
    assert changes[2]["after"] == str(IMAGE.digest)
    with pytest.raises(CommandRefused, match="no tag was ever pushed to a:v2"):
        await told(opened, "tag history", name="a", tag="v2")
