"""HeldBytes: all bodies together take bounded memory."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from oci.descriptor import Descriptor
from oci.digest import Digest
from oci.encoding import image_manifest
from oci.mediatype import OCI_CONFIG, OCI_MANIFEST
from registry.api.application import Application
from registry.api.held_bytes import FREE_BYTES, HeldBytes, Hold
from registry.app import build_application
from registry.background import BackgroundTasks
from registry.config import AccessSettings, LogSettings, Settings, StorageSettings
from registry.errors import TooManyRequests
from registry.storage.disk.root import Root
from tests.registry.api.conftest import client_of
from tests.support.registry.schema import upgrade
from tests.support.registry.wire import NAME, lived, push_blob, refused

MANIFEST = f"/v2/{NAME}/manifests"


@pytest.fixture
async def application(root: Path) -> AsyncIterator[Application]:
    settings = Settings(
        access=AccessSettings("push"),
        storage=StorageSettings(root),
        logs=LogSettings(requests=False),
    )
    with Root.open(root) as opened:
        upgrade(opened.database)
        async with lived(build_application(settings, opened, BackgroundTasks())) as application:
            yield application


@pytest.fixture
def client(application: Application) -> httpx2.AsyncClient:
    return client_of(application)


def test_a_request_releases_its_held_bytes() -> None:
    held = HeldBytes(1000)
    first, second = Hold(held), Hold(held)

    first.add(FREE_BYTES + 600)
    with pytest.raises(TooManyRequests, match="hold 600 bytes of memory, expected at most 1000"):
        second.add(FREE_BYTES + 600)
    second.release()
    first.add(400)
    assert held.total == 1000
    first.release()
    first.release()

    assert held.total == 0
    second.add(FREE_BYTES + 600)


def test_small_bodies_are_never_refused_because_of_large_ones() -> None:
    held = HeldBytes(0)

    for _ in range(100):
        Hold(held).add(FREE_BYTES)

    assert held.total == 0


async def test_manifests_that_never_come_to_their_end_keep_only_large_ones_away(
    client: httpx2.AsyncClient, application: Application
) -> None:
    application._held = HeldBytes(1_000_000)
    go_on, begun = asyncio.Event(), asyncio.Event()

    async def unfinished() -> AsyncIterator[bytes]:
        yield b" " * 900_000
        begun.set()
        await go_on.wait()

    slow = asyncio.create_task(client.put(f"{MANIFEST}/slow", content=unfinished()))
    await asyncio.wait_for(begun.wait(), 60)

    large = await client.put(f"{MANIFEST}/large", content=b" " * 900_000)
    small = await client.put(f"{MANIFEST}/small", content=b"{}")
    go_on.set()
    await slow

    refused(large, 429, "TOOMANYREQUESTS")
    assert "retry-after" in large.headers
    refused(small, 400, "MANIFEST_INVALID")
    assert application._held.total == 0


async def test_manifests_that_are_sent_count_until_they_are_sent(
    client: httpx2.AsyncClient, application: Application
) -> None:
    config = Descriptor(OCI_CONFIG, await push_blob(client, b"{}"), 2)
    content = image_manifest(config, [], annotations={"large": "x" * 200_000})
    headers = {"Content-Type": OCI_MANIFEST}
    pushed = await client.put(f"{MANIFEST}/v1", content=content, headers=headers)
    assert pushed.status_code == 201

    application._held = HeldBytes(1000)
    too_much = await client.get(f"{MANIFEST}/{Digest.of(content)}")
    application._held = HeldBytes(1_000_000)
    fits = await client.get(f"{MANIFEST}/v1")

    refused(too_much, 429, "TOOMANYREQUESTS")
    assert fits.content == content
    assert application._held.total == 0
