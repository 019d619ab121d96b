"""List tags.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-tags
"""

from starlette.responses import Response

from oci.reference import Tag
from registry.api.requests import MAX_PAGE, RegistryRequest
from registry.api.responses import page
from registry.services.repositories import Repository


async def list_tags(request: RegistryRequest, repository: Repository) -> Response:
    """end-8a, end-8b: GET the tags of a repository; ``last`` need not exist."""
    n, last = request.page_size, request.query("last")
    if last is not None:
        Tag.parse(last)
    size = MAX_PAGE if n is None else n
    found = await repository.tags.list(last=last, n=size)
    tags = [str(tag) for tag in found.items]
    more = found.more and size > 0
    return page(
        {"name": str(repository.name), "tags": tags},
        path=request.path,
        next_query={"n": str(size), "last": tags[-1]} if more else None,
    )
