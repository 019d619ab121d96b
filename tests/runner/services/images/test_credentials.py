"""Credentials while pulling and pushing: for the exact host and port, and nobody else (C-14)."""

from collections.abc import AsyncIterator

import pytest

from oci.digest import Digest
from runner.credentials import Credentials
from runner.errors import RunnerError
from tests.support.images import a_layer, an_image
from tests.support.runner.fake_registry import FakeRegistry, Reply
from tests.support.runner.runner_images import RunnerImages

CANARY = Credentials("canary", "s3cret-canary")
SOURCE = an_image([a_layer({"file": b"x" * 5000})])
LAYER = SOURCE.layers[0]
BLOB = str(LAYER.descriptor.digest)


@pytest.fixture
async def registry() -> AsyncIterator[FakeRegistry]:
    async with FakeRegistry() as registry:
        registry.put(SOURCE)
        yield registry


@pytest.fixture
async def elsewhere() -> AsyncIterator[FakeRegistry]:
    """Another server, which must never see the canary."""
    async with FakeRegistry() as other:
        other.put(SOURCE)
        yield other


def basic(credentials: Credentials) -> str:
    return credentials.to_entry()["auth"]


async def test_a_redirect_to_another_host_carries_no_credentials(
    registry: FakeRegistry, elsewhere: FakeRegistry, runner: RunnerImages
) -> None:
    registry.on("GET", f"/blobs/{BLOB}", Reply(307, headers={"Location": elsewhere.url + "/b"}))
    elsewhere.on("GET", "/b", Reply(body=LAYER.blob))
    ask_for_credentials(registry)

    await runner.images.pull("app", credentials=CANARY, progress=runner.on_progress)

    assert f"Basic {basic(CANARY)}" in [s.headers.get("authorization") for s in registry.seen]
    assert [seen.path for seen in elsewhere.seen] == ["/b"]
    assert_no_canary(elsewhere)


async def test_a_redirect_within_the_host_keeps_the_credentials(
    registry: FakeRegistry, runner: RunnerImages
) -> None:
    registry.on("GET", "/moved", Reply(body=LAYER.blob))
    registry.on("GET", f"/blobs/{BLOB}", Reply(307, headers={"Location": "/moved"}))
    ask_for_credentials(registry)

    await runner.images.pull("app", credentials=CANARY, progress=runner.on_progress)

    (moved,) = registry.asked("GET", "/moved")
    assert moved.headers["authorization"] == f"Basic {basic(CANARY)}"


async def test_a_realm_on_another_host_sees_nothing(
    registry: FakeRegistry, elsewhere: FakeRegistry, runner: RunnerImages
) -> None:
    realm = f'Bearer realm="{elsewhere.url}/token",service="x"'
    registry.on("GET", "/", Reply(401, headers={"WWW-Authenticate": realm}))

    with pytest.raises(RunnerError, match="which is another server: list that host"):
        await runner.images.pull("app", credentials=CANARY, progress=runner.on_progress)

    assert elsewhere.seen == []


async def test_an_upload_location_on_another_host_gets_nothing(
    registry: FakeRegistry, elsewhere: FakeRegistry, runner: RunnerImages
) -> None:
    await runner.images.pull("app", progress=runner.on_progress)
    registry.blobs.clear()
    place = f"{elsewhere.url}/v2/app/blobs/uploads/1"
    registry.on("POST", "/blobs/uploads/", Reply(202, headers={"Location": place}))

    with pytest.raises(RunnerError, match=r"sends us to .* for an upload"):
        await runner.images.push("app", credentials=CANARY, progress=runner.on_progress)

    assert elsewhere.seen == []


async def test_a_push_that_was_stored_as_something_else_fails(
    registry: FakeRegistry, runner: RunnerImages
) -> None:
    await runner.images.pull("app", progress=runner.on_progress)
    other = {"Docker-Content-Digest": str(Digest.of(b"other"))}
    registry.on("PUT", "/manifests/", Reply(201, headers=other))

    with pytest.raises(RunnerError, match=r"the registry stored sha256:.*, expected"):
        await runner.images.push("app", progress=runner.on_progress)


def ask_for_credentials(registry: FakeRegistry) -> None:
    """Everything but what behaviours before this one answer needs Basic credentials."""
    challenge = Reply(401, headers={"WWW-Authenticate": 'Basic realm="registry"'})
    registry.behaviours.insert(
        0, lambda seen: None if "authorization" in seen.headers else challenge
    )


def assert_no_canary(server: FakeRegistry) -> None:
    for seen in server.seen:
        everything = f"{seen.target} {dict(seen.headers)} {seen.body!r}"
        assert "canary" not in everything
        assert basic(CANARY) not in everything
