"""Push: blobs in one PUT, wherever the registry wants them on its own host."""

from collections.abc import AsyncIterator

import pytest

from oci.descriptor import Descriptor
from oci.digest import Digest
from oci.mediatype import OCI_LAYER_TAR, OCI_MANIFEST
from oci.reference import RepositoryName, Tag
from runner.errors import BadRequest, Forbidden, Unavailable
from runner.remote.client import RegistryClients, RemoteRepository
from runner.remote.contract import PushResult
from runner.remote.errors import RemoteUntrusted
from runner.remote.push import push_blob, push_manifest
from runner.remote.retry import RetryPolicy
from tests.support.runner.fake_registry import FakeRegistry, Reply, envelope

CONTENT = b"layer" * 1000
BLOB = Descriptor(OCI_LAYER_TAR, Digest.of(CONTENT), len(CONTENT))


async def opened() -> AsyncIterator[bytes]:
    yield CONTENT[:1000]
    yield CONTENT[1000:]


@pytest.fixture
async def registry() -> AsyncIterator[FakeRegistry]:
    async with FakeRegistry() as registry:
        yield registry


@pytest.fixture
async def app(registry: FakeRegistry) -> AsyncIterator[RemoteRepository]:
    clients = RegistryClients(retry_policy=RetryPolicy(first_wait_seconds=0.001))
    yield clients.repository(registry.host, RepositoryName("app"))
    await clients.aclose()


async def test_a_blob_is_sent_in_one_put_of_its_length(
    registry: FakeRegistry, app: RemoteRepository
) -> None:
    outcome = await push_blob(app, BLOB, opened)

    assert outcome is PushResult.PUSHED
    (sent,) = registry.asked("PUT")
    assert sent.body == CONTENT
    assert sent.headers["content-length"] == str(BLOB.size)
    assert "transfer-encoding" not in sent.headers
    assert registry.asked("PATCH") == []


async def test_a_blob_that_is_there_is_not_sent(
    registry: FakeRegistry, app: RemoteRepository
) -> None:
    registry.blobs[str(BLOB.digest)] = CONTENT

    assert await push_blob(app, BLOB, opened) is PushResult.EXISTED
    assert [seen.method for seen in registry.seen] == ["HEAD"]


async def test_a_mount_that_is_granted_sends_nothing(
    registry: FakeRegistry, app: RemoteRepository
) -> None:
    registry.on("POST", "/blobs/uploads/", Reply(201))

    outcome = await push_blob(app, BLOB, opened, mount_from=RepositoryName("source"))

    assert outcome is PushResult.MOUNTED
    (asked,) = registry.asked("POST")
    assert asked.query == {"mount": [str(BLOB.digest)], "from": ["source"]}
    assert registry.asked("PUT") == []


async def test_a_mount_that_is_not_granted_goes_on_with_the_session(
    registry: FakeRegistry, app: RemoteRepository
) -> None:
    outcome = await push_blob(app, BLOB, opened, mount_from=RepositoryName("source"))

    assert outcome is PushResult.PUSHED
    assert len(registry.asked("POST")) == 1


@pytest.mark.parametrize(
    "place", ["/elsewhere/up?a=b%2Fc&d", "{url}/elsewhere/up?a=b%2Fc&d", "up?x"]
)
async def test_a_location_may_be_absolute_or_relative_and_keeps_its_query(
    registry: FakeRegistry, app: RemoteRepository, place: str
) -> None:
    location = place.format(url=registry.url)
    registry.on("POST", "/blobs/uploads/", Reply(202, headers={"Location": location}))
    registry.on("PUT", "up", Reply(201))

    await push_blob(app, BLOB, opened)

    (sent,) = registry.asked("PUT")
    query = location.partition("?")[2]
    assert sent.target.endswith(f"up?{query}&digest={BLOB.digest}")


async def test_a_blob_is_sent_again_in_a_new_session_after_a_failure(
    registry: FakeRegistry, app: RemoteRepository
) -> None:
    registry.once("PUT", "/blobs/uploads/", Reply(503))

    assert await push_blob(app, BLOB, opened) is PushResult.PUSHED
    assert len(registry.asked("POST")) == 2


async def test_a_registry_that_stays_away_is_unavailable(
    registry: FakeRegistry, app: RemoteRepository
) -> None:
    registry.on("PUT", "/blobs/uploads/", Reply(500))

    with pytest.raises(Unavailable, match=r"refused to push blob .*: 500"):
        await push_blob(app, BLOB, opened)
    assert len(registry.asked("PUT")) == 5


@pytest.mark.parametrize(
    ("reply", "error", "said"),
    [
        (envelope(403, "DENIED", "read only"), Forbidden, "403 DENIED: read only"),
        (envelope(400, "SIZE_INVALID", "too large"), BadRequest, "400 SIZE_INVALID"),
        (Reply(202), RemoteUntrusted, "202 without a Location"),
        (Reply(202, headers={"Location": "http://[::1"}), RemoteUntrusted, "Location"),
        (
            Reply(202, headers={"Location": "http://127.0.0.1:1/up"}),
            RemoteUntrusted,
            "for an upload",
        ),
        (Reply(200), RemoteUntrusted, "200 without a Location"),
        (Reply(304), RemoteUntrusted, "304 Not Modified"),
    ],
)
async def test_a_refused_upload_says_why(
    registry: FakeRegistry,
    app: RemoteRepository,
    reply: Reply,
    error: type[Exception],
    said: str,
) -> None:
    registry.on("POST", "/blobs/uploads/", reply)

    with pytest.raises(error, match=said):
        await push_blob(app, BLOB, opened)
    assert registry.asked("PUT") == []


async def test_a_manifest_is_put_as_it_is(registry: FakeRegistry, app: RemoteRepository) -> None:
    content = b'{ "schemaVersion" : 2 }'
    descriptor = Descriptor(OCI_MANIFEST, Digest.of(content), len(content))

    await push_manifest(app, Tag("v1"), descriptor, content)

    assert registry.manifests["/v2/app/manifests/v1"] == (OCI_MANIFEST, content)
