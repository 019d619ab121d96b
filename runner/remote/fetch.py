"""Fetch manifests and blobs from another registry and verify them.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pull
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import httpx2

from oci.descriptor import Descriptor
from oci.digest import Digest, InvalidDigest
from oci.errors import OCIError
from oci.manifest import MAX_MANIFEST_BYTES, parse_manifest
from oci.mediatype import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from oci.reference import Tag
from runner.errors import Unavailable
from runner.remote.client import RemoteRepository, Request
from runner.remote.contract import RemoteManifest
from runner.remote.errors import RemoteUntrusted
from runner.remote.wire import body_chunks, check_status, describe, read_limited

ACCEPT = ", ".join((OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST))
# After this much progress the count of failures restarts.
PROGRESS_BYTES = 1024 * 1024


async def fetch_manifest(repository: RemoteRepository, target: Tag | Digest) -> RemoteManifest:
    """GET a manifest and verify it against the requested digest, or that of the response.

    Raises NotFound, Unauthorized, Unavailable, and RemoteUntrusted for an invalid response.
    """
    request = Request(
        "GET",
        repository.url(f"manifests/{target}"),
        f"pull {_reference(repository, target)}",
        (repository.scope("pull"),),
        {"Accept": ACCEPT},
    )
    retry_policy = repository.registry.retry_policy.brief()
    return await retry_policy.retry(lambda: _fetch_manifest(repository, target, request))


async def fetch_blob(
    repository: RemoteRepository,
    descriptor: Descriptor,
    offset: int = 0,
) -> AsyncGenerator[bytes, None]:
    """GET a blob from ``offset`` to its end, resumed after a broken connection.

    Yields exactly the missing bytes or raises: a longer body is refused, a shorter one resumed.
    The caller verifies the digest.

    httpx2's buffers go to the consumer without a copy.
    """
    retry_policy, failures = repository.registry.retry_policy, 0
    while offset < descriptor.size:
        reached = offset
        try:
            async with aclosing(_stream(repository, descriptor, offset)) as stream:
                async for chunk in stream:
                    offset += len(chunk)
                    yield chunk
        except Unavailable:
            failures = 1 if offset - reached >= PROGRESS_BYTES else failures + 1
            if failures >= retry_policy.tries:
                raise
            await retry_policy.wait(failures)


async def _fetch_manifest(
    repository: RemoteRepository, target: Tag | Digest, request: Request
) -> RemoteManifest:
    host = repository.registry.host
    async with repository.registry.exchange(request) as response:
        await check_status(host, request.action, response, (200,))
        content = await read_limited(response, MAX_MANIFEST_BYTES)
        expected = target if isinstance(target, Digest) else _digest_header(host, response)
        media_type = response.headers.get("Content-Type")
    digest = Digest.of(content, expected.algorithm if expected else "sha256")
    where = _reference(repository, target)
    if expected is not None and digest != expected:
        raise RemoteUntrusted(f"{where}: manifest has digest {digest}, expected {expected}")
    try:
        document = parse_manifest(content, media_type, allow_urls=True)
    except OCIError as error:
        raise RemoteUntrusted(f"{where}: {error}") from error
    return RemoteManifest(Descriptor(document.media_type, digest, len(content)), document)


def _digest_header(host: str, response: httpx2.Response) -> Digest | None:
    text = response.headers.get("Docker-Content-Digest")
    try:
        return Digest.parse(text) if text else None
    except InvalidDigest as error:
        raise RemoteUntrusted(f"{host}: Docker-Content-Digest: {error}") from error


async def _stream(
    repository: RemoteRepository, descriptor: Descriptor, offset: int
) -> AsyncGenerator[bytes, None]:
    host, digest = repository.registry.host, descriptor.digest
    request = Request(
        "GET",
        repository.url(f"blobs/{digest}"),
        f"pull blob {digest} of {repository.name}",
        (repository.scope("pull"),),
        {"Range": f"bytes={offset}-"} if offset else {},
    )
    async with repository.registry.exchange(request) as response:
        await check_status(host, request.action, response, (200, 206) if offset else (200,))
        # A registry that ignores Range sends the known bytes again.
        known = 0 if response.status_code == 206 else offset
        if response.status_code == 206:
            _check_content_range(host, response, offset)
        remaining = descriptor.size - offset
        try:
            async for chunk in body_chunks(response):
                fresh = chunk[known:]
                known = max(0, known - len(chunk))
                remaining -= len(fresh)
                if remaining < 0:
                    raise RemoteUntrusted(
                        f"{host}: blob {digest} has more than {descriptor.size} bytes"
                    )
                if fresh:
                    yield fresh
        except httpx2.HTTPError as error:
            raise Unavailable(f"{host}: blob {digest} cut off: {describe(error)}") from error
    if remaining:
        have = descriptor.size - remaining
        raise Unavailable(f"{host}: blob {digest} has {have} bytes, expected {descriptor.size}")


def _check_content_range(host: str, response: httpx2.Response, offset: int) -> None:
    text = response.headers.get("Content-Range", "")
    if not text.startswith(f"bytes {offset}-"):
        raise RemoteUntrusted(f"{host}: Content-Range {text[:100]!r}, expected from byte {offset}")


def _reference(repository: RemoteRepository, target: Tag | Digest) -> str:
    return f"{repository}{'@' if isinstance(target, Digest) else ':'}{target}"
