"""The commands gc and undelete."""

import pytest

from oci.reference import Tag
from registry.admin.open_registry import OpenRegistry
from registry.errors import CommandRefused, ManifestUnknown
from tests.registry.admin.conftest import repository, told
from tests.support.images import an_image
from tests.support.registry.storage import push_image

IMAGE = an_image()
V1 = Tag("v1")


async def test_a_pass_tells_for_how_long_content_is_kept(opened: OpenRegistry) -> None:
    gc = opened.settings.gc

    [dry] = await told(opened, "gc", dry_run=True)
    [report] = await told(opened, "gc")

    assert dry["blobs"] == report["blobs"] == 0
    assert report["pushed_ms"] >= gc.lease_seconds * 1000
    assert report["deleted_ms"] >= gc.undelete_seconds * 1000


async def test_a_deleted_tag_comes_back_by_its_name(opened: OpenRegistry) -> None:
    team = repository(opened, "team/app")
    await push_image(team, IMAGE, V1)
    await team.manifests.delete(V1)

    await told(opened, "undelete", what="team/app:v1")

    assert (await team.manifests.pull(V1)).content == IMAGE.manifest


async def test_a_deleted_manifest_comes_back_by_its_digest(opened: OpenRegistry) -> None:
    team = repository(opened, "team/app")
    await push_image(team, IMAGE)
    await team.manifests.delete(IMAGE.digest)
    with pytest.raises(ManifestUnknown):
        await team.manifests.pull(IMAGE.digest)

    await told(opened, "undelete", what=str(IMAGE.digest))

    assert (await team.manifests.pull(IMAGE.digest)).content == IMAGE.manifest


async def test_a_deleted_repository_comes_back(opened: OpenRegistry) -> None:
    await push_image(repository(opened, "team/app"), IMAGE, V1)
    await told(opened, "repo delete", name="team/app")

    assert await told(opened, "repo undelete", name="team/app") == [{"name": "team/app"}]

    assert await told(opened, "repo list") == [{"name": "team/app"}]


async def test_anything_else_is_not_undeleted(opened: OpenRegistry) -> None:
    with pytest.raises(CommandRefused, match="'team/app': expected a digest, or NAME:TAG"):
        await told(opened, "undelete", what="team/app")
