"""A deleted repository: absent at once, and whole again within the undelete window."""

import pytest

from oci.reference import RepositoryName, Tag
from registry.errors import CommandRefused, NameUnknown
from registry.services.operator.tag_history import history
from registry.trash.repositories import delete_repository, undelete_repository
from tests.support.images import an_image, an_index
from tests.support.registry.gc_service import GcService
from tests.support.registry.storage import push_blob, push_image, push_index

NAME = RepositoryName("team/app")
ONE, TWO = Tag("one"), Tag("two")


async def test_a_deleted_repository_is_absent_at_once_and_undeleted_completely(
    window: GcService,
) -> None:
    repository, image = window.repository(), an_image()
    await push_image(repository, image, ONE)
    state = window.service.state

    await delete_repository(state, "op", NAME)

    assert (await window.service.registry.names(last=None, n=None)).items == ()
    with pytest.raises(NameUnknown):
        await repository.manifests.pull(ONE)
    assert not await window.repository("thief").uploads.mount(next(iter(image.blobs)), None)
    await window.collect()
    await undelete_repository(state, "op", NAME)
    assert (await repository.manifests.pull(ONE)).content == image.manifest


async def test_a_deleted_repository_gives_its_bytes_back_after_the_window(
    window: GcService,
) -> None:
    repository, index = window.repository(), an_index()
    await push_index(repository, index, ONE, TWO)
    state = window.service.state
    session = await repository.uploads.start()
    await delete_repository(state, "op", NAME)
    await push_blob(window.repository(), b"a new one of the same name")

    await window.pass_time(700)
    report = await window.collect()

    assert report.repositories == 1
    assert report.purged == 4
    assert report.orphans == 1, session
    with pytest.raises(CommandRefused, match="there is a repository"):
        await undelete_repository(state, "op", NAME)
    changes = await history(state, NAME, None)
    assert [change.tag for change in changes] == ["one", "two"]
