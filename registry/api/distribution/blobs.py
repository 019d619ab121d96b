"""Pull, check, delete a blob.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-blobs
"""

from contextlib import AsyncExitStack

from starlette.responses import Response

from registry.api.requests import RegistryRequest
from registry.api.responses import BlobResponse, blob_headers, not_modified
from registry.services.blobs import probe, translate_read_errors
from registry.services.repositories import Repository


async def check_blob(request: RegistryRequest, repository: Repository) -> Response:
    """end-2: HEAD a blob."""
    digest = request.digest
    size = await repository.blobs.stat(digest)
    if request.is_not_modified(digest):
        return not_modified(digest)
    return Response(headers={**blob_headers(digest), "Content-Length": str(size)})


async def pull_blob(request: RegistryRequest, repository: Repository) -> Response:
    """end-2: GET a blob, or parts of it.

    Hot path: get.
    """
    digest = request.digest
    blob = await repository.blobs.open(digest)
    async with AsyncExitStack() as undo:
        undo.push_async_callback(blob.aclose)
        if request.is_not_modified(digest):
            return not_modified(digest)
        ranges = request.ranges(digest, blob.size)
        if ranges is not None:
            with translate_read_errors(digest):
                await probe(blob, ranges[0].start)
        undo.pop_all()
    return BlobResponse(digest, blob, ranges)


async def delete_blob(request: RegistryRequest, repository: Repository) -> Response:
    """end-10: DELETE a blob."""
    await repository.blobs.delete(request.digest)
    return Response(status_code=202)
