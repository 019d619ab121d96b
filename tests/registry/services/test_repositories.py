"""Registry: the names of its repositories, page by page."""

from oci.reference import RepositoryName
from tests.support.registry.storage import Service, push_blob


async def test_repositories_are_in_byte_order_page_by_page(service: Service) -> None:
    names = ["a", "a/b", "a0", "b-c", "b/c"]
    for name in reversed(names):
        await push_blob(service.repository(name), b"content")

    first = await service.registry.names(last=None, n=3)
    second = await service.registry.names(last="a0", n=3)

    assert (first.items, first.more) == (tuple(map(RepositoryName, sorted(names)[:3])), True)
    assert (second.items, second.more) == (tuple(map(RepositoryName, sorted(names)[3:])), False)
