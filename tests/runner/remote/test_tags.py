"""Every tag of a repository, over pages; and lists that must not be believed."""

from collections.abc import AsyncIterator

import pytest

from oci.reference import RepositoryName
from runner.errors import NotFound
from runner.remote.client import RegistryClients, RemoteRepository
from runner.remote.errors import RemoteUntrusted
from runner.remote.tags import fetch_tags
from tests.support.images import an_image
from tests.support.runner.fake_registry import FakeRegistry, Reply, envelope


@pytest.fixture
async def registry() -> AsyncIterator[FakeRegistry]:
    async with FakeRegistry() as registry:
        yield registry


@pytest.fixture
async def repository(registry: FakeRegistry) -> AsyncIterator[RemoteRepository]:
    clients = RegistryClients()
    yield clients.repository(registry.host, RepositoryName.parse("app"))
    await clients.aclose()


async def test_all_pages_are_read(registry: FakeRegistry, repository: RemoteRepository) -> None:
    for tag in ("1", "2", "3", "4", "5"):
        registry.put(an_image(seed=tag), tag)

    tags = await fetch_tags(repository)

    assert [str(tag) for tag in tags] == ["1", "2", "3", "4", "5"]
    assert len(registry.asked("GET", "/tags/list")) == 3


async def test_a_repository_without_tags_has_none(repository: RemoteRepository) -> None:
    assert await fetch_tags(repository) == ()


async def test_a_repository_that_is_not_there_is_not_found(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    registry.on("GET", "/tags/list", envelope(404, "NAME_UNKNOWN", "no such repository"))

    with pytest.raises(NotFound, match="NAME_UNKNOWN"):
        await fetch_tags(repository)


@pytest.mark.parametrize(
    ("body", "link", "sentence"),
    [
        (b'{"tags":["1"]}', '<?last=1>; rel="next"', "has no end"),
        (b'{"tags":["../x"]}', "", "invalid list of tags"),
        (b'{"tags":[5]}', "", "invalid list of tags"),
        (b'{"tags":5}', "", "invalid list of tags"),
        (b'["1"]', "", "invalid list of tags"),
        (b"no json", "", "invalid list of tags"),
        (b'{"tags":["1"]}', "no link", "invalid Link"),
        (b'{"tags":["1"]}', '<http://elsewhere.test/>; rel="next"', "elsewhere.test"),
        (b'{"tags":["1"]}', '<http://x:abc/>; rel="next"', "invalid Link"),
    ],
)
async def test_a_list_that_makes_no_sense_is_refused(
    registry: FakeRegistry, repository: RemoteRepository, body: bytes, link: str, sentence: str
) -> None:
    headers = {"Link": link} if link else {}
    registry.on("GET", "/tags/list", Reply(body=body, headers=headers))

    with pytest.raises(RemoteUntrusted, match=sentence):
        await fetch_tags(repository)
