"""List repositories.

https://distribution.github.io/distribution/spec/api/#listing-repositories
"""

from starlette.responses import Response

from oci.reference import RepositoryName
from registry.api.requests import MAX_PAGE, RegistryRequest
from registry.api.responses import page
from registry.services.repositories import Registry


async def list_repositories(request: RegistryRequest, registry: Registry) -> Response:
    """GET the names of the repositories that the caller may see; ``last`` need not exist."""
    n, last = request.page_size, request.query("last")
    if last is not None:
        RepositoryName.parse(last)
    size = MAX_PAGE if n is None else n
    found = await request.visible(last=last, n=size)
    names = [str(name) for name in found.items]
    more = found.more and size > 0
    return page(
        {"repositories": names},
        path=request.path,
        next_query={"n": str(size), "last": names[-1]} if more else None,
    )
