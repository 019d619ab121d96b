"""MemoryRegistries: registries of dictionaries, for tests of what pulls from and pushes to them."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

from oci.descriptor import Descriptor
from oci.digest import Digest
from oci.errors import OCIError
from oci.manifest import parse_manifest
from oci.reference import RepositoryName, Tag
from runner.credentials import Credentials
from runner.errors import BadRequest, NotFound, Unauthorized, Unavailable
from runner.remote.contract import OpenBlob, PushResult, RemoteManifest, RepositoryAddress
from runner.remote.errors import RemoteUntrusted
from tests.support.images import Image, Index

CHUNK_BYTES = 65536


@dataclass
class MemoryContent:
    """Content of one repository; ``manifests`` by tag and by digest: media type and bytes."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, tuple[str, bytes]] = field(default_factory=dict)

    def put(self, what: Image | Index, tag: str = "latest") -> None:
        """Hold an image or index, and everything below it."""
        if isinstance(what, Index):
            for image in what.images:
                self.put(image, str(image.digest))
        else:
            self.blobs |= {str(digest): content for digest, content in what.blobs.items()}
        for reference in (tag, str(what.digest)):
            self.manifests[reference] = (what.media_type, what.manifest)


class MemoryRegistries:
    """Registries, see the contract: one host, which asks for ``login`` if there is one.

    ``fetched`` and ``sent`` are the digests of the blobs whose bytes were moved, in order.
    """

    def __init__(self, host: str = "registry.test", login: Credentials | None = None) -> None:
        self.host = host
        self.login = login
        self.contents: dict[str, MemoryContent] = {}
        self.fetched: list[str] = []
        self.sent: list[str] = []

    def content(self, name: str) -> MemoryContent:
        """Content of the repository, made if it is not there."""
        return self.contents.setdefault(name, MemoryContent())

    def repository(
        self, host: str, name: RepositoryName, credentials: Credentials | None = None
    ) -> "MemoryRepository":
        return MemoryRepository(self, RepositoryAddress(host, name, credentials or Credentials()))

    async def check_login(self, host: str, credentials: Credentials) -> bool:
        self.check_access(host, credentials)
        return self.login is not None

    def check_access(self, host: str, credentials: Credentials) -> None:
        if host != self.host:
            raise Unavailable(f"{host}: there is no such registry, only {self.host}")
        if self.login not in (None, credentials):
            raise Unauthorized(f"{host}: the credentials are not those of its user")


@dataclass(frozen=True)
class MemoryRepository:
    """RegistryRepository, see the contract."""

    registries: MemoryRegistries
    address: RepositoryAddress

    def __str__(self) -> str:
        return str(self.address)

    async def fetch_manifest(self, target: Tag | Digest) -> RemoteManifest:
        found = self._existing().manifests.get(str(target))
        if found is None:
            raise NotFound(f"{self} has no manifest {target}")
        media_type, content = found
        digest = Digest.of(content)
        if isinstance(target, Digest) and digest != target:
            raise RemoteUntrusted(f"{self}: manifest has digest {digest}, expected {target}")
        try:
            document = parse_manifest(content, media_type, allow_urls=True)
        except OCIError as error:
            raise RemoteUntrusted(f"{self}: {error}") from error
        return RemoteManifest(Descriptor(document.media_type, digest, len(content)), document)

    async def fetch_blob(
        self, descriptor: Descriptor, offset: int = 0
    ) -> AsyncGenerator[bytes, None]:
        if offset >= descriptor.size:
            return
        content = self._existing().blobs.get(str(descriptor.digest))
        if content is None:
            raise NotFound(f"{self} has no blob {descriptor.digest}")
        self.registries.fetched.append(str(descriptor.digest))
        found = f"blob {descriptor.digest} has {len(content)} bytes, expected {descriptor.size}"
        if len(content) > descriptor.size:
            raise RemoteUntrusted(f"{self}: {found}")
        for start in range(offset, len(content), CHUNK_BYTES):
            yield content[start : start + CHUNK_BYTES]
        if len(content) < descriptor.size:
            raise Unavailable(f"{self}: {found}")

    async def fetch_tags(self) -> tuple[Tag, ...]:
        return tuple(Tag.parse(key) for key in sorted(self._existing().manifests) if ":" not in key)

    async def push_blob(
        self,
        descriptor: Descriptor,
        open_blob: OpenBlob,
        *,
        mount_from: RepositoryName | None = None,
    ) -> PushResult:
        blobs, digest = self._made().blobs, str(descriptor.digest)
        if digest in blobs:
            return PushResult.EXISTED
        source = self.registries.contents.get(str(mount_from), MemoryContent())
        if digest in source.blobs:
            blobs[digest] = source.blobs[digest]
            return PushResult.MOUNTED
        content = b"".join([chunk async for chunk in open_blob()])
        actual = Digest.of(content, descriptor.digest.algorithm)
        if actual != descriptor.digest:
            raise BadRequest(f"{self}: content has digest {actual}, expected {digest}")
        blobs[digest] = content
        self.registries.sent.append(digest)
        return PushResult.PUSHED

    async def push_manifest(
        self, target: Tag | Digest, descriptor: Descriptor, content: bytes
    ) -> None:
        for reference in (str(target), str(descriptor.digest)):
            self._made().manifests[reference] = (descriptor.media_type, content)

    def _made(self) -> MemoryContent:
        self.registries.check_access(self.address.host, self.address.credentials)
        return self.registries.content(str(self.address.name))

    def _existing(self) -> MemoryContent:
        self.registries.check_access(self.address.host, self.address.credentials)
        content = self.registries.contents.get(str(self.address.name))
        if content is None:
            raise NotFound(f"{self}: there is no such repository")
        return content
