"""Undelete: deleted content comes back within the undelete window."""

from typing import Any

import pytest

from oci.digest import Digest
from oci.reference import RepositoryName, Tag
from registry.errors import CommandRefused
from registry.storage.database.contract import Connection
from registry.trash import undelete
from registry.trash.repositories import delete_repository, undelete_repository
from registry.trash.undelete import (
    UndeleteResult,
    undelete_digest,
    undelete_manifest,
    undelete_membership,
    undelete_tag,
)
from tests.support.images import an_image, an_index
from tests.support.registry.gc_service import GcService
from tests.support.registry.storage import pull_blob, push_blob, push_image, push_index

NAME = RepositoryName("team/app")
ONE, TWO = Tag("one"), Tag("two")


async def test_a_manifest_comes_back_with_its_tags_and_its_blobs(window: GcService) -> None:
    repository, image = window.repository(), an_image(2)
    await push_image(repository, image, ONE, TWO)
    await window.outlive_leases()
    await repository.manifests.delete(image.digest)
    assert (await window.collect()).blobs == 3

    restored = await undelete_digest(window.service.state, "op", image.digest)

    assert (restored.manifests, len(restored.blobs)) == ([str(image.digest)], 3)
    assert restored.tags == ["one", "two"]
    assert (await repository.manifests.pull(ONE)).content == image.manifest
    for digest, content in image.blobs.items():
        assert await pull_blob(repository, digest) == content
    assert (await window.collect()).blobs == 0


async def test_a_tag_that_points_elsewhere_by_now_is_left_alone(window: GcService) -> None:
    repository, old, new = window.repository(), an_image(seed="old"), an_image(seed="new")
    await push_image(repository, old, ONE, TWO)
    await repository.manifests.delete(old.digest)
    await push_image(repository, new, ONE)

    restored = await undelete_digest(window.service.state, "op", old.digest)

    assert (restored.tags, restored.skipped_tags) == (["two"], ["one"])
    assert (await repository.manifests.pull(ONE)).digest == new.digest
    assert (await repository.manifests.pull(TWO)).digest == old.digest


async def test_an_index_comes_back_with_the_children_it_had(window: GcService) -> None:
    repository, index = window.repository(), an_index()
    await push_index(repository, index, ONE)
    await window.outlive_leases()
    gone, late = index.images
    await repository.manifests.delete(gone.digest)
    await repository.manifests.delete(index.digest)
    await repository.manifests.delete(late.digest)
    await window.collect()

    restored = await undelete_tag(window.service.state, "op", NAME, ONE)

    # The one that was deleted while the index was there was not missed by it.
    assert set(restored.manifests) == {str(index.digest), str(late.digest)}
    assert (await repository.manifests.pull(ONE)).digest == index.digest


async def test_a_tag_comes_back_to_where_it_was(window: GcService) -> None:
    repository, image = window.repository(), an_image()
    await push_image(repository, image, ONE)
    await repository.manifests.delete(ONE)

    restored = await undelete_tag(window.service.state, "op", NAME, ONE)

    assert (restored.tags, restored.manifests) == (["one"], [])
    [row] = await window.service.rows(
        "SELECT identity, target, detail FROM audit WHERE action = 'tag.undelete'"
    )
    assert row == ("op", str(image.digest), '{"tags": ["one"]}')
    with pytest.raises(CommandRefused, match="exists, and points to"):
        await undelete_tag(window.service.state, "op", NAME, ONE)
    with pytest.raises(CommandRefused, match="never existed"):
        await undelete_tag(window.service.state, "op", NAME, TWO)


async def test_a_tag_comes_back_with_the_manifest_that_was_deleted_under_it(
    window: GcService,
) -> None:
    """As skopeo deletes: by digest.  It comes back once, and does not "point elsewhere"."""
    repository, image = window.repository(), an_image()
    await push_image(repository, image, ONE)
    await repository.manifests.delete(image.digest)

    restored = await undelete_tag(window.service.state, "op", NAME, ONE)

    assert (restored.manifests, restored.tags, restored.skipped_tags) == (
        [str(image.digest)],
        ["one"],
        [],
    )
    assert (await repository.manifests.pull(ONE)).digest == image.digest


async def test_a_blob_comes_back_where_it_was_and_nowhere_else(window: GcService) -> None:
    one, two, other = (window.repository(name) for name in ("one", "two", "other"))
    digest = await push_blob(one, b"wanted")
    assert await two.uploads.mount(digest, one)
    await push_blob(other, b"something else")
    await one.blobs.delete(digest)
    await two.blobs.delete(digest)

    restored = await undelete_digest(window.service.state, "op", digest)

    assert restored.blobs == [str(digest)] * 2
    assert await pull_blob(one, digest) == await pull_blob(two, digest) == b"wanted"
    members = await window.service.rows(
        "SELECT repository_id FROM repo_blobs WHERE digest = :d", d=str(digest)
    )
    assert len(members) == 2


async def test_after_the_window_it_is_gone_for_good(window: GcService) -> None:
    repository = window.repository()
    digest = await push_blob(repository, b"wanted")
    await repository.blobs.delete(digest)
    await window.pass_time(500)
    early = await window.collect()
    await window.pass_time(200)
    late = await window.collect()

    assert (early.purged, late.purged) == (0, 1)
    assert window.service.files() == set()
    with pytest.raises(
        CommandRefused, match=f"^{digest} is not in the trash: it was not deleted, or is purged$"
    ):
        await undelete_digest(window.service.state, "op", digest)
    rows = await window.service.rows("SELECT 1 FROM trash_members UNION SELECT 1 FROM trash")
    assert rows == []


async def test_corrupt_bytes_stay_in_the_trash(window: GcService) -> None:
    repository = window.repository()
    digest = await push_blob(repository, b"wanted")
    await repository.blobs.delete(digest)
    (file,) = window.service.files()
    (window.service.root / file).chmod(0o600)
    (window.service.root / file).write_bytes(b"Wanted")

    with pytest.raises(CommandRefused, match="corrupt"):
        await undelete_digest(window.service.state, "op", digest)


async def test_a_blob_pushed_again_keeps_its_new_bytes(window: GcService) -> None:
    repository = window.repository()
    digest = await push_blob(repository, b"wanted")
    await repository.blobs.delete(digest)
    await push_blob(repository, b"wanted")

    restored = await undelete_digest(window.service.state, "op", digest)

    assert restored.blobs == []
    assert await pull_blob(repository, digest) == b"wanted"


async def test_content_of_a_deleted_repository_is_not_undeleted_invisibly(
    window: GcService,
) -> None:
    repository, state = window.repository(), window.service.state
    image, blob = an_image(), await push_blob(window.repository(), b"blob")
    await push_image(repository, image, ONE)
    await repository.manifests.delete(image.digest)
    await repository.blobs.delete(blob)
    await delete_repository(state, "op", NAME)

    for digest in (image.digest, blob):
        with pytest.raises(CommandRefused, match="registry repo undelete team/app"):
            await undelete_digest(state, "op", digest)

    await undelete_repository(state, "op", NAME)
    for digest in (image.digest, blob):
        await undelete_digest(state, "op", digest)
    assert (await repository.manifests.pull(ONE)).content == image.manifest
    assert await pull_blob(repository, blob) == b"blob"


async def test_content_in_several_repositories_returns_only_to_those_not_deleted(
    window: GcService,
) -> None:
    image, state = an_image(), window.service.state
    for name in ("team/app", "team/other"):
        await push_image(window.repository(name), image, ONE)
        await window.repository(name).manifests.delete(image.digest)
    await delete_repository(state, "op", NAME)

    restored = await undelete_digest(state, "op", image.digest)

    assert restored.manifests == [str(image.digest)]
    assert (await window.repository("team/other").manifests.pull(ONE)).digest == image.digest
    rows = await window.service.rows("SELECT repository_id FROM manifests")
    assert len(rows) == 1


async def test_a_tag_does_not_come_back_to_a_repository_that_is_deleted_meanwhile(
    window: GcService, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository, state, image = window.repository(), window.service.state, an_image()
    await push_image(repository, image, ONE)
    await repository.manifests.delete(image.digest)
    real = undelete.check_files

    async def delete_first(*arguments: Any) -> None:
        await real(*arguments)
        await delete_repository(state, "op", NAME)

    monkeypatch.setattr(undelete, "check_files", delete_first)

    with pytest.raises(CommandRefused, match="repository team/app was deleted meanwhile"):
        await undelete_tag(state, "op", NAME, ONE)
    with pytest.raises(CommandRefused, match="undelete"):
        await undelete_digest(state, "op", image.digest)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (undelete_manifest, f"manifest {Digest.of(b'gone')} is purged"),
        (undelete_membership, f"the bytes of blob {Digest.of(b'gone')} are purged"),
    ],
)
async def test_a_part_that_is_purged_is_named(window: GcService, part: Any, message: str) -> None:
    state = window.service.state

    def unit(connection: Connection) -> None:
        change = state.begin_change(connection, "op")
        part(connection, change, 1, Digest.of(b"gone"), UndeleteResult())

    with pytest.raises(CommandRefused) as caught:
        await state.database.write(unit, on=NAME, grows=True)

    assert str(caught.value) == message
