"""Push: blobs and manifests to another registry.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#push
"""

import httpx2

from oci.descriptor import Descriptor
from oci.digest import Digest
from oci.reference import RepositoryName, Tag
from runner.remote.client import RemoteRepository, Request
from runner.remote.contract import OpenBlob, PushResult
from runner.remote.errors import RemoteUntrusted
from runner.remote.wire import check_status, location

# Proxies may answer a push with 200 or 204 too.
SUCCESS = range(200, 300)


async def push_blob(
    repository: RemoteRepository,
    descriptor: Descriptor,
    open_blob: OpenBlob,
    *,
    mount_from: RepositoryName | None = None,
) -> PushResult:
    """Push a blob: skipped if it exists, mounted if possible, else uploaded with one PUT.

    After a network failure the upload restarts with a new session.
    """

    async def attempt() -> PushResult:
        if await _has_blob(repository, descriptor.digest):
            return PushResult.EXISTED
        session = await _start(repository, descriptor.digest, mount_from)
        if session is None:
            return PushResult.MOUNTED
        await _put(repository, descriptor, session, open_blob)
        return PushResult.PUSHED

    return await repository.registry.retry_policy.retry(attempt)


async def push_manifest(
    repository: RemoteRepository,
    target: Tag | Digest,
    descriptor: Descriptor,
    content: bytes,
) -> None:
    """PUT the manifest's exact bytes; RemoteUntrusted if the registry reports another digest."""
    request = Request(
        "PUT",
        repository.url(f"manifests/{target}"),
        f"push {repository.name}{'@' if isinstance(target, Digest) else ':'}{target}",
        (repository.scope("pull,push"),),
        {"Content-Type": descriptor.media_type},
        content,
    )

    async def attempt() -> None:
        async with repository.registry.exchange(request) as response:
            await check_status(repository.registry.host, request.action, response, SUCCESS)
            stored = response.headers.get("Docker-Content-Digest")
        if stored is not None and stored != str(descriptor.digest):
            raise RemoteUntrusted(
                f"{repository}: the registry stored {stored[:200]}, expected {descriptor.digest}"
            )

    await repository.registry.retry_policy.retry(attempt)


async def _has_blob(repository: RemoteRepository, digest: Digest) -> bool:
    return await _exists(repository, f"blobs/{digest}", f"look for blob {digest}")


async def _exists(repository: RemoteRepository, path: str, action: str) -> bool:
    request = Request(
        "HEAD",
        repository.url(path),
        f"{action} in {repository.name}",
        (repository.scope("pull,push"),),
        {"Accept": "*/*"},
    )
    async with repository.registry.exchange(request) as response:
        await check_status(repository.registry.host, request.action, response, (200, 404))
        return response.status_code == 200


async def _start(
    repository: RemoteRepository, digest: Digest, mount_from: RepositoryName | None
) -> httpx2.URL | None:
    """Start an upload, or mount the blob from ``mount_from``; None if it was mounted."""
    url = repository.url("blobs/uploads/")
    scopes = [repository.scope("pull,push")]
    if mount_from is not None and mount_from != repository.name:
        url = url.copy_merge_params({"mount": str(digest), "from": str(mount_from)})
        scopes.append(f"repository:{mount_from}:pull")
    action = f"start an upload to {repository.name}"
    request = Request("POST", url, action, tuple(scopes), {"Content-Length": "0"})
    host = repository.registry.host
    async with repository.registry.exchange(request) as response:
        await check_status(host, action, response, SUCCESS)
        return None if response.status_code == 201 else location(host, response)


async def _put(
    repository: RemoteRepository, descriptor: Descriptor, session: httpx2.URL, open_blob: OpenBlob
) -> None:
    request = Request(
        "PUT",
        _with_digest(session, descriptor.digest),
        f"push blob {descriptor.digest} to {repository.name}",
        (repository.scope("pull,push"),),
        {"Content-Type": "application/octet-stream", "Content-Length": str(descriptor.size)},
        open_blob,
    )
    async with repository.registry.exchange(request) as response:
        await check_status(repository.registry.host, request.action, response, SUCCESS)


def _with_digest(session: httpx2.URL, digest: Digest) -> httpx2.URL:
    """Add the digest to the session's URL, keeping its query unchanged."""
    return httpx2.URL(f"{session}{'&' if session.query else '?'}digest={digest}")
