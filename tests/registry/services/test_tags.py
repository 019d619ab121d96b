"""Listing tags, page by page."""

import pytest

from oci.reference import Tag
from registry.errors import NameUnknown
from registry.services.repositories import Repository
from tests.support.images import an_image
from tests.support.registry.storage import push_blob, push_image

NAMES = ["0", "1.0", "1.0-rc1", "10", "2", "A", "Z", "_", "a", "latest", "z"]


@pytest.fixture
async def tagged(repository: Repository) -> Repository:
    image = an_image()
    await push_image(repository, image)
    await repository.manifests.push(
        image.digest, image.manifest, image.media_type, tags=[Tag(name) for name in NAMES[::-1]]
    )
    return repository


async def listed(repository: Repository, last: str | None, n: int | None) -> tuple[list[str], bool]:
    page = await repository.tags.list(last=last, n=n)
    return [str(tag) for tag in page.items], page.more


async def test_tags_are_in_byte_order(tagged: Repository) -> None:
    assert await listed(tagged, None, None) == (NAMES, False)
    assert sorted(NAMES) == NAMES


@pytest.mark.parametrize("n", range(1, len(NAMES) + 2))
async def test_pages_joined_are_the_list(tagged: Repository, n: int) -> None:
    found: list[str] = []
    last, more = None, True
    while more:
        names, more = await listed(tagged, last, n)
        found += names
        last = found[-1]

    assert found == NAMES


async def test_last_need_not_exist(tagged: Repository) -> None:
    assert await listed(tagged, "1.5", 2) == (["10", "2"], True)
    assert await listed(tagged, "zz", 2) == ([], False)
    assert await listed(tagged, "", None) == (NAMES, False)


async def test_none_asked_for_is_none_given_and_no_next_page(tagged: Repository) -> None:
    assert await listed(tagged, None, 0) == ([], False)


async def test_an_unknown_repository_has_no_list(repository: Repository) -> None:
    with pytest.raises(NameUnknown):
        await repository.tags.list(last=None, n=None)


async def test_a_repository_without_tags_has_an_empty_list(repository: Repository) -> None:
    await push_blob(repository, b"only a blob")

    assert await listed(repository, None, 10) == ([], False)
