"""Tag history: each change of a tag, and the deletions of its repository."""

import pytest

from oci.reference import RepositoryName, Tag
from registry.errors import CommandRefused
from registry.services.operator.tag_history import deletions, history
from registry.trash.repositories import delete_repository, undelete_repository
from tests.support.images import an_image
from tests.support.registry.gc_service import GcService
from tests.support.registry.storage import push_image

NAME = RepositoryName("team/app")
ONE = Tag("one")


async def test_the_history_of_a_tag_has_identity_time_and_digests(gc_service: GcService) -> None:
    old, new = an_image(seed="old"), an_image(seed="new")
    await push_image(gc_service.service.repository(identity="alice"), old, ONE)
    await push_image(gc_service.service.repository(identity="bob"), new, ONE)
    await gc_service.service.repository(identity="carol").manifests.delete(ONE)

    changes = await history(gc_service.service.state, NAME, ONE)

    assert [(each.identity, each.before, each.after) for each in changes] == [
        ("alice", None, str(old.digest)),
        ("bob", str(old.digest), str(new.digest)),
        ("carol", str(new.digest), None),
    ]
    assert all(each.at == gc_service.clock.wall for each in changes)


async def test_a_tag_that_never_was_has_no_history(gc_service: GcService) -> None:
    for tag, named in ((ONE, "team/app:one"), (None, "team/app")):
        with pytest.raises(CommandRefused, match=f"no tag was ever pushed to {named}$"):
            await history(gc_service.service.state, NAME, tag)


async def test_a_deletion_is_listed_until_it_is_undone(window: GcService) -> None:
    state = window.service.state
    await push_image(window.repository(), an_image(), ONE)
    await delete_repository(state, "op", NAME)

    [deleted] = await deletions(state, NAME)
    await undelete_repository(state, "op", NAME)

    assert (deleted.identity, deleted.at) == ("op", window.clock.wall)
    assert await deletions(state, NAME) == []
