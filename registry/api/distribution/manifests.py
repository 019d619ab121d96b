"""Pull, push, delete a manifest.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests
"""

from http import HTTPStatus

from starlette.responses import Response

from oci.digest import Digest
from oci.manifest import MAX_MANIFEST_BYTES
from oci.mediatype import without_parameters
from oci.reference import Tag
from registry.api.conditions import (
    has_conditions,
    require_match,
    require_none,
)
from registry.api.errors import TooManyTags
from registry.api.requests import RegistryRequest
from registry.api.responses import (
    FOREVER,
    NEVER,
    ContentResponse,
    content_headers,
    not_modified,
    warning,
)
from registry.errors import ManifestUnknown, NameUnknown
from registry.services.manifests import PushedManifest
from registry.services.repositories import Repository

MAX_TAGS = 100


async def check_manifest(request: RegistryRequest, repository: Repository) -> Response:
    """end-3: HEAD a manifest."""
    reference = request.reference
    found = await repository.manifests.stat(reference)
    cache = _cache(reference)
    if request.is_not_modified(found.digest):
        return not_modified(found.digest, cache=cache)
    headers = content_headers(found.digest, cache=cache)
    headers["Content-Type"] = found.media_type
    headers["Content-Length"] = str(found.size)
    return Response(headers=headers)


async def pull_manifest(request: RegistryRequest, repository: Repository) -> Response:
    """end-3: GET a manifest, with its pushed bytes and media type, regardless of Accept.

    Hot path: manifest.
    """
    reference = request.reference
    found = await repository.manifests.pull(reference)
    cache = _cache(reference)
    if request.is_not_modified(found.digest):
        return not_modified(found.digest, cache=cache)
    request.hold.add(len(found.content))
    headers = content_headers(found.digest, cache=cache)
    headers["Content-Type"] = found.media_type
    return ContentResponse(found.content, headers)


async def push_manifest(request: RegistryRequest, repository: Repository) -> Response:
    """end-7a, end-7b: PUT a manifest, by tag or by digest, with further tags if given."""
    reference = request.reference
    tags = [Tag.parse(text) for text in request.query_params.getlist("tag")]
    if len(tags) > MAX_TAGS:
        raise TooManyTags(len(tags), MAX_TAGS)
    content = await request.read(MAX_MANIFEST_BYTES)
    media_type = without_parameters(request.headers.get("content-type", "")) or None
    if not has_conditions(request.headers):
        pushed = await repository.manifests.push(reference, content, media_type, tags=tags)
        return _created(repository, pushed)
    found = await _check_conditions(request, repository, reference)
    # The condition must still hold in the transaction that moves the tag.
    pushed = await repository.manifests.push(
        reference, content, media_type, tags=tags, if_match=found, if_absent=found is None
    )
    return _created(repository, pushed)


async def delete_manifest(request: RegistryRequest, repository: Repository) -> Response:
    """end-9: DELETE a tag, or a manifest with every tag on it."""
    await repository.manifests.delete(request.reference)
    return Response(status_code=HTTPStatus.ACCEPTED)


async def _check_conditions(
    request: RegistryRequest, repository: Repository, reference: Tag | Digest
) -> Digest | None:
    """The current digest, checked against If-Match and If-None-Match.

    These keep clients from overwriting each other's tags.
    """
    try:
        found = (await repository.manifests.stat(reference)).digest
    except (ManifestUnknown, NameUnknown):
        found = None
    require_match(request.headers, reference, found)
    require_none(request.headers, reference, found)
    return found


def _created(repository: Repository, pushed: PushedManifest) -> Response:
    headers = {
        "Location": f"/v2/{repository.name}/manifests/{pushed.digest}",
        "Docker-Content-Digest": str(pushed.digest),
    }
    if pushed.subject is not None:
        headers["OCI-Subject"] = str(pushed.subject)
    if pushed.tags:
        headers["OCI-Tag"] = ", ".join(map(str, pushed.tags))
    if pushed.absent:
        headers["Warning"] = warning(f"{len(pushed.absent)} named digests are not here yet")
    return Response(status_code=HTTPStatus.CREATED, headers=headers)


def _cache(reference: Tag | Digest) -> str:
    return FOREVER if isinstance(reference, Digest) else NEVER
