"""Registries: the same tests for HTTP, against a registry in this process, and for memory."""

import base64
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace

import pytest

from oci.descriptor import Descriptor
from oci.digest import Digest
from oci.mediatype import OCI_LAYER_TAR
from oci.reference import RepositoryName, Tag
from runner.credentials import Credentials
from runner.errors import BadRequest, NotFound, Unauthorized, Unavailable
from runner.remote.client import RegistryClients
from runner.remote.contract import (
    OpenBlob,
    PushResult,
    Registries,
    RegistryRepository,
    RepositoryAddress,
)
from runner.remote.errors import RemoteUntrusted
from runner.remote.registries import HTTPRegistries
from runner.remote.retry import RetryPolicy
from tests.support.images import Image, an_image, an_index
from tests.support.ports import free_port
from tests.support.runner.fake_registry import FakeRegistry, Reply, Seen, envelope
from tests.support.runner.memory_registries import MemoryRegistries

CONTENT = bytes(range(256)) * 1000
BLOB = Descriptor(OCI_LAYER_TAR, Digest.of(CONTENT), len(CONTENT))
USER = Credentials("user", "secret")


@dataclass(frozen=True)
class Form:
    """One form of the contract, and how to fill the repository ``app`` of its registry."""

    registries: Registries
    host: str
    put: Callable[..., None]
    put_blob: Callable[[Digest, bytes], None]
    replace_manifest: Callable[[Digest, Image], None]
    hold_in_source: Callable[[], None]
    require_login: Callable[[], None]

    def app(self, credentials: Credentials | None = None) -> RegistryRepository:
        return self.registries.repository(self.host, RepositoryName("app"), credentials)


def memory_form() -> Form:
    registries = MemoryRegistries()
    app = registries.content("app")

    def put_blob(digest: Digest, content: bytes) -> None:
        app.blobs[str(digest)] = content

    def replace_manifest(digest: Digest, image: Image) -> None:
        app.manifests[str(digest)] = (image.media_type, image.manifest)

    def hold_in_source() -> None:
        registries.content("source").blobs[str(BLOB.digest)] = CONTENT

    def require_login() -> None:
        registries.login = USER

    return Form(
        registries,
        registries.host,
        app.put,
        put_blob,
        replace_manifest,
        hold_in_source,
        require_login,
    )


def http_form(clients: RegistryClients, registry: FakeRegistry) -> Form:
    def put_blob(digest: Digest, content: bytes) -> None:
        registry.blobs[str(digest)] = content

    def replace_manifest(digest: Digest, image: Image) -> None:
        registry.manifests[f"/v2/app/manifests/{digest}"] = (image.media_type, image.manifest)

    def hold_in_source() -> None:
        def mount(seen: Seen) -> Reply | None:
            if seen.method != "POST" or seen.query.get("from") != ["source"]:
                return None
            registry.blobs[seen.query["mount"][0]] = CONTENT
            return Reply(201)

        registry.behaviours.append(mount)

    def require_login() -> None:
        expected = "Basic " + base64.b64encode(b"user:secret").decode()

        def check(seen: Seen) -> Reply | None:
            if seen.headers.get("authorization") == expected:
                return None
            challenge = {"WWW-Authenticate": 'Basic realm="test"'}
            return envelope(401, "UNAUTHORIZED", "log in", **challenge)

        registry.behaviours.append(check)

    return Form(
        HTTPRegistries(clients),
        registry.host,
        registry.put,
        put_blob,
        replace_manifest,
        hold_in_source,
        require_login,
    )


@pytest.fixture(params=["http", "memory"])
async def form(request: pytest.FixtureRequest) -> AsyncIterator[Form]:
    if request.param == "memory":
        yield memory_form()
        return
    clients = RegistryClients(retry_policy=RetryPolicy(first_wait_seconds=0.001))
    try:
        async with FakeRegistry() as registry:
            yield http_form(clients, registry)
    finally:
        await clients.aclose()


def opened(content: bytes = CONTENT) -> OpenBlob:
    async def open_blob() -> AsyncIterator[bytes]:
        yield content[:1000]
        yield content[1000:]

    return open_blob


def never() -> AsyncIterator[bytes]:
    raise AssertionError("the blob was opened, though no byte of it is needed")


async def read(
    repository: RegistryRepository, descriptor: Descriptor = BLOB, offset: int = 0
) -> bytes:
    return b"".join([chunk async for chunk in repository.fetch_blob(descriptor, offset)])


async def test_a_repository_says_where_it_is(form: Form) -> None:
    repository = form.app(USER)

    assert str(repository) == f"{form.host}/app"
    assert repository.address == RepositoryAddress(form.host, RepositoryName("app"), USER)
    assert form.app().address.credentials == Credentials()


async def test_a_manifest_is_fetched_by_tag_and_by_digest(form: Form) -> None:
    image = an_image()
    form.put(image, "v1")

    by_tag = await form.app().fetch_manifest(Tag("v1"))

    assert by_tag.document.content == image.manifest
    assert by_tag.descriptor == Descriptor(image.media_type, image.digest, len(image.manifest))
    assert await form.app().fetch_manifest(image.digest) == by_tag


async def test_an_index_is_fetched_as_one(form: Form) -> None:
    index = an_index(an_image())
    form.put(index)

    found = await form.app().fetch_manifest(Tag("latest"))

    assert found.document.content == index.manifest
    assert found.descriptor.media_type == index.media_type


@pytest.mark.parametrize("target", [Tag("absent"), Digest.of(b"absent")])
async def test_an_absent_manifest_is_not_found(form: Form, target: Tag | Digest) -> None:
    form.put(an_image())

    with pytest.raises(NotFound):
        await form.app().fetch_manifest(target)


async def test_a_manifest_of_another_digest_is_not_trusted(form: Form) -> None:
    image, other = an_image(), an_image(seed="other")
    form.replace_manifest(image.digest, other)

    with pytest.raises(RemoteUntrusted, match=f"{other.digest}, expected {image.digest}"):
        await form.app().fetch_manifest(image.digest)


async def test_content_that_is_no_manifest_is_not_trusted(form: Form) -> None:
    image = replace(an_image(), manifest=b"{}")
    form.put(image)

    with pytest.raises(RemoteUntrusted):
        await form.app().fetch_manifest(Tag("latest"))


@pytest.mark.parametrize("offset", [0, 1, 100_000, BLOB.size - 1, BLOB.size])
async def test_a_blob_is_fetched_from_an_offset_to_its_end(form: Form, offset: int) -> None:
    form.put_blob(BLOB.digest, CONTENT)

    assert await read(form.app(), BLOB, offset) == CONTENT[offset:]


async def test_an_absent_blob_is_not_found(form: Form) -> None:
    form.put(an_image())

    with pytest.raises(NotFound):
        await read(form.app())


async def test_nothing_is_fetched_at_the_end_of_a_blob_even_if_it_is_absent(form: Form) -> None:
    assert await read(form.app(), BLOB, BLOB.size) == b""


async def test_a_longer_blob_is_not_trusted(form: Form) -> None:
    form.put_blob(BLOB.digest, CONTENT + b"more")

    with pytest.raises(RemoteUntrusted, match=str(BLOB.digest)):
        await read(form.app())


async def test_a_shorter_blob_is_unavailable(form: Form) -> None:
    form.put_blob(BLOB.digest, CONTENT[:-1])

    with pytest.raises(Unavailable, match=f"{BLOB.size - 1} bytes, expected {BLOB.size}"):
        await read(form.app())


async def test_every_tag_is_listed_once(form: Form) -> None:
    for tag in ("1", "2", "3"):
        form.put(an_image(seed=tag), tag)

    assert await form.app().fetch_tags() == (Tag("1"), Tag("2"), Tag("3"))


async def test_a_blob_is_pushed_once(form: Form) -> None:
    first = await form.app().push_blob(BLOB, opened())
    second = await form.app().push_blob(BLOB, never)

    assert (first, second) == (PushResult.PUSHED, PushResult.EXISTED)
    assert await read(form.app()) == CONTENT


async def test_a_mounted_blob_is_not_sent(form: Form) -> None:
    form.hold_in_source()

    result = await form.app().push_blob(BLOB, never, mount_from=RepositoryName("source"))

    assert result is PushResult.MOUNTED
    assert await read(form.app()) == CONTENT


async def test_a_blob_that_cannot_be_mounted_is_sent(form: Form) -> None:
    result = await form.app().push_blob(BLOB, opened(), mount_from=RepositoryName("source"))

    assert result is PushResult.PUSHED
    assert await read(form.app()) == CONTENT


async def test_a_blob_of_another_digest_is_refused_and_not_kept(form: Form) -> None:
    form.put(an_image())

    with pytest.raises(BadRequest):
        await form.app().push_blob(BLOB, opened(CONTENT[::-1]))

    with pytest.raises(NotFound):
        await read(form.app())


async def test_a_pushed_manifest_has_its_exact_bytes_and_moves_the_tag(form: Form) -> None:
    form.put(an_image(seed="before"), "v1")
    image = an_image(seed="after")
    descriptor = Descriptor(image.media_type, image.digest, len(image.manifest))

    await form.app().push_manifest(Tag("v1"), descriptor, image.manifest)

    found = await form.app().fetch_manifest(Tag("v1"))
    assert (found.descriptor, found.document.content) == (descriptor, image.manifest)


async def test_a_login_that_is_not_required_is_unchecked(form: Form) -> None:
    assert await form.registries.check_login(form.host, USER) is False


async def test_a_login_is_checked_where_it_is_required(form: Form) -> None:
    form.require_login()

    assert await form.registries.check_login(form.host, USER) is True
    with pytest.raises(Unauthorized):
        await form.registries.check_login(form.host, Credentials("user", "wrong"))


async def test_every_method_takes_the_credentials(form: Form) -> None:
    form.put(image := an_image())
    form.require_login()

    found = await form.app(USER).fetch_manifest(Tag("latest"))

    assert found.descriptor.digest == image.digest
    for refused in (
        form.app().fetch_manifest(Tag("latest")),
        form.app().fetch_tags(),
        form.app().push_blob(BLOB, never),
        read(form.app()),
    ):
        with pytest.raises(Unauthorized):
            await refused


async def test_a_registry_that_is_not_there_is_unavailable(form: Form) -> None:
    host = f"127.0.0.1:{free_port()}"
    repository = form.registries.repository(host, RepositoryName("app"))

    for asked in (
        repository.fetch_manifest(Tag("latest")),
        repository.fetch_tags(),
        repository.push_blob(BLOB, never),
        read(repository),
        form.registries.check_login(host, USER),
    ):
        with pytest.raises(Unavailable):
            await asked
