"""Steps of a client over HTTP, for tests of other things."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote

import httpx2
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from oci.digest import Digest
from oci.mediatype import OCI_MANIFEST
from registry.api.application import Application
from tests.support.images import Image

NAME = "team/app"


@asynccontextmanager
async def lived(application: Application) -> AsyncIterator[Application]:
    """The application between its startup and its shutdown, as a server would run it."""
    told: asyncio.Queue[Message] = asyncio.Queue()
    said: asyncio.Queue[Message] = asyncio.Queue()
    life = asyncio.create_task(application({"type": "lifespan"}, told.get, said.put))
    await told.put({"type": "lifespan.startup"})
    started = asyncio.create_task(said.get())
    await asyncio.wait((life, started), return_when=asyncio.FIRST_COMPLETED)
    if not started.done():
        started.cancel()
        await life
    try:
        yield application
    finally:
        await told.put({"type": "lifespan.shutdown"})
        await life


async def push_blob(client: httpx2.AsyncClient, content: bytes, name: str = NAME) -> Digest:
    digest = Digest.of(content)
    answer = await client.post(
        f"/v2/{name}/blobs/uploads/", params={"digest": str(digest)}, content=content
    )
    assert answer.status_code == 201, answer.text
    return digest


async def push_manifest(
    client: httpx2.AsyncClient,
    content: bytes,
    media_type: str,
    reference: str = "latest",
    name: str = NAME,
) -> Digest:
    answer = await client.put(
        f"/v2/{name}/manifests/{reference}", content=content, headers={"Content-Type": media_type}
    )
    assert answer.status_code == 201, answer.text
    return Digest.of(content)


async def put_manifest(
    client: httpx2.AsyncClient,
    content: bytes,
    reference: str = "latest",
    media_type: str | None = OCI_MANIFEST,
    **headers: str,
) -> httpx2.Response:
    """PUT a manifest; headers are given with underscores."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if media_type is not None:
        named["Content-Type"] = media_type
    return await client.put(f"/v2/{NAME}/manifests/{reference}", content=content, headers=named)


async def push_image(
    client: httpx2.AsyncClient, image: Image, reference: str = "latest", name: str = NAME
) -> Digest:
    for content in image.blobs.values():
        await push_blob(client, content, name)
    return await push_manifest(client, image.manifest, image.media_type, reference, name)


async def start(client: httpx2.AsyncClient, name: str = NAME, query: str = "") -> str:
    """Begin an upload session; returns its location."""
    answer = await client.post(f"/v2/{name}/blobs/uploads/{query}")
    assert answer.status_code == 202, answer.text
    location: str = answer.headers["location"]
    return location


def refused(answer: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    """The first error of a refusal, once it is what was expected and has the spec's form."""
    assert answer.status_code == status, answer.text
    assert answer.headers["cache-control"] == "no-store"
    entry = envelope(answer)[0]
    assert entry["code"] == code, answer.text
    return entry


def envelope(answer: httpx2.Response) -> list[dict[str, Any]]:
    """The errors of a refusal, which must be in the spec's envelope."""
    assert answer.headers["content-type"] == "application/json"
    document = json.loads(answer.content)
    assert list(document) == ["errors"]
    for entry in document["errors"]:
        assert set(entry) <= {"code", "message", "detail"}
        assert entry["code"].replace("_", "").isupper()
        assert entry["message"]
    assert document["errors"]
    entries: list[dict[str, Any]] = document["errors"]
    return entries


def open_files() -> int:
    """How many files this process holds open."""
    return len(os.listdir("/proc/self/fd"))


async def as_written(
    client: httpx2.AsyncClient,
    method: str,
    target: str,
    *,
    headers: Sequence[tuple[str, str]] = (),
    content: bytes = b"",
) -> httpx2.Response:
    """A request whose target, in ASCII, and headers arrive exactly so; httpx2 would mend them."""
    transport = client._transport
    assert isinstance(transport, httpx2.ASGITransport)
    app: ASGIApp = transport.app
    path, _, query = target.partition("?")

    async def rewritten(scope: Scope, receive: Receive, send: Send) -> None:
        written = {
            "method": method,
            "raw_path": path.encode("ascii"),
            "path": unquote(path),
            "query_string": query.encode("ascii"),
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers],
        }
        await app({**scope, **written}, receive, send)

    request = client.build_request("POST", "http://registry.test/", content=content)
    answer = await httpx2.ASGITransport(app=rewritten).handle_async_request(request)
    await answer.aread()
    return answer
