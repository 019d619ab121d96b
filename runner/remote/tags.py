"""fetch_tags: list the tags of a repository of another registry, page by page.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-tags
"""

import json

import httpx2

from oci.errors import OCIError
from oci.http import parse_link
from oci.reference import Tag
from runner.remote.client import RemoteRepository, Request
from runner.remote.errors import RemoteUntrusted
from runner.remote.wire import check_status, read_limited

PAGE_TAGS = 1000
# More tags are surely not meant to be pulled by one command.
MAX_TAGS = 10_000


async def fetch_tags(repository: RemoteRepository) -> tuple[Tag, ...]:
    """List every tag once, in the registry's order.

    Raises NotFound, Unauthorized, Unavailable, and RemoteUntrusted for an invalid response.
    """
    found: dict[Tag, None] = {}
    url = repository.url(f"tags/list?n={PAGE_TAGS}")
    while True:
        request = Request("GET", url, f"list the tags of {repository}", (repository.scope("pull"),))
        async with repository.registry.exchange(request) as response:
            await check_status(repository.registry.host, request.action, response, (200,))
            tags = _tags(repository, await read_limited(response))
            target = _next(repository, response.headers.get("Link"))
        known = len(found)
        found.update(dict.fromkeys(tags))
        if target is None:
            return tuple(found)
        if len(found) == known or len(found) > MAX_TAGS:
            raise RemoteUntrusted(
                f"{repository}: its list of tags has no end, or more than {MAX_TAGS} tags"
            )
        url = _resolve_link(repository, url, target)


def _resolve_link(repository: RemoteRepository, url: httpx2.URL, target: str) -> httpx2.URL:
    try:
        joined = url.join(target)
    except httpx2.InvalidURL as error:
        raise RemoteUntrusted(f"{repository}: invalid Link {target!r}: {error}") from error
    if not repository.registry.owns(joined):
        raise RemoteUntrusted(f"{repository}: its list of tags goes on elsewhere: {target!r}")
    return joined


def _tags(repository: RemoteRepository, content: bytes) -> tuple[Tag, ...]:
    try:
        document = json.loads(content)
        # Go writes an empty list as null.
        return tuple(Tag.parse(text) for text in document["tags"] or ())
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError, OCIError) as error:
        raise RemoteUntrusted(f"{repository}: invalid list of tags: {error}") from error


def _next(repository: RemoteRepository, header: str | None) -> str | None:
    try:
        return parse_link(header) if header else None
    except OCIError as error:
        raise RemoteUntrusted(f"{repository}: {error}") from error
