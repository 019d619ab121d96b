"""Start, append to, complete, cancel an upload; mount.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-blobs
"""

from http import HTTPStatus

from starlette.responses import Response

from oci.digest import Digest, InvalidDigest
from oci.ranges import format_upload_range
from oci.reference import RepositoryName
from registry.api.requests import RegistryRequest
from registry.services.repositories import Repository
from registry.services.uploads import UploadSession


async def start_upload(request: RegistryRequest, repository: Repository) -> Response:
    """end-4a, end-4b, end-4c, end-11: POST.  Mounts if possible, else begins a session.

    The Content-Type is ignored: crane sends application/json here.
    """
    mount, expected = request.query("mount"), request.query("digest")
    algorithm = request.algorithm
    if mount is not None and await _mount(request, repository, digest := Digest.parse(mount)):
        return _created(repository.name, digest)
    if expected is not None:
        digest = Digest.parse(expected)
        await repository.uploads.push(digest, request.chunks(), length=request.length)
        return _created(repository.name, digest)
    session = await repository.uploads.start(algorithm)
    return _accepted(repository.name, session)


async def append_to_upload(request: RegistryRequest, repository: Repository) -> Response:
    """end-5: PATCH a session with a chunk, or with a stream without Content-Range."""
    chunk = request.chunk
    session = await repository.uploads.append(
        request.upload_session, request.chunks(), start=chunk.start, length=chunk.length
    )
    return _accepted(repository.name, session)


async def complete_upload(request: RegistryRequest, repository: Repository) -> Response:
    """end-6: PUT a session, with its last bytes or none, and commit it as a blob."""
    expected = request.query("digest")
    if expected is None:
        raise InvalidDigest("digest is missing, expected the digest of the whole blob")
    digest, chunk = Digest.parse(expected), request.chunk
    await repository.uploads.commit(
        request.upload_session, digest, request.chunks(), start=chunk.start, length=chunk.length
    )
    return _created(repository.name, digest)


async def check_upload(request: RegistryRequest, repository: Repository) -> Response:
    """end-13: GET the offset of a session."""
    session = await repository.uploads.status(request.upload_session)
    # regctl reads 0-0 as one byte stored; docker, which cannot read 0--1, never asks here.
    return _accepted(repository.name, session, HTTPStatus.NO_CONTENT, empty="0--1")


async def cancel_upload(request: RegistryRequest, repository: Repository) -> Response:
    """end-14: DELETE a session."""
    await repository.uploads.cancel(request.upload_session)
    return Response(status_code=HTTPStatus.NO_CONTENT)


async def _mount(request: RegistryRequest, repository: Repository, digest: Digest) -> bool:
    """Mount the blob from another repository; False, for any reason, means: upload it."""
    name = request.query("from")
    if name is None:
        return await repository.uploads.mount(digest, None, readable=request.may_pull)
    source = await request.source(name)
    return source is not None and await repository.uploads.mount(digest, source)


def _created(name: RepositoryName, digest: Digest) -> Response:
    # Relative, here and below: behind a proxy we do not know our own scheme, host and port.
    headers = {"Location": f"/v2/{name}/blobs/{digest}", "Docker-Content-Digest": str(digest)}
    return Response(status_code=HTTPStatus.CREATED, headers=headers)


def _accepted(
    name: RepositoryName,
    session: UploadSession,
    status: HTTPStatus = HTTPStatus.ACCEPTED,
    *,
    empty: str = "0-0",
) -> Response:
    headers = {
        "Location": f"/v2/{name}/blobs/uploads/{session.id}",
        "Range": format_upload_range(session.offset, empty),
        "Docker-Upload-UUID": session.id,
    }
    return Response(status_code=status, headers=headers)
