"""HTTPRegistries: the contract's registries, by the distribution protocol over HTTP."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from oci.descriptor import Descriptor
from oci.digest import Digest
from oci.reference import RepositoryName, Tag
from runner.credentials import Credentials
from runner.remote import fetch, push, tags
from runner.remote.client import RegistryClients, RemoteRepository, check_login
from runner.remote.contract import OpenBlob, PushResult, RemoteManifest, RepositoryAddress


class HTTPRegistries:
    """Registries, see the contract; the clients are closed by whoever made them."""

    def __init__(self, clients: RegistryClients) -> None:
        self._clients = clients

    def repository(
        self, host: str, name: RepositoryName, credentials: Credentials | None = None
    ) -> "HTTPRepository":
        return HTTPRepository(self._clients.repository(host, name, credentials))

    async def check_login(self, host: str, credentials: Credentials) -> bool:
        return await check_login(self._clients.registry(host, credentials))


@dataclass(frozen=True, slots=True)
class HTTPRepository:
    """RegistryRepository, see the contract."""

    _remote: RemoteRepository

    @property
    def address(self) -> RepositoryAddress:
        registry = self._remote.registry
        return RepositoryAddress(registry.host, self._remote.name, registry.credentials)

    def __str__(self) -> str:
        return str(self._remote)

    async def fetch_manifest(self, target: Tag | Digest) -> RemoteManifest:
        return await fetch.fetch_manifest(self._remote, target)

    def fetch_blob(self, descriptor: Descriptor, offset: int = 0) -> AsyncGenerator[bytes, None]:
        return fetch.fetch_blob(self._remote, descriptor, offset)

    async def fetch_tags(self) -> tuple[Tag, ...]:
        return await tags.fetch_tags(self._remote)

    async def push_blob(
        self,
        descriptor: Descriptor,
        open_blob: OpenBlob,
        *,
        mount_from: RepositoryName | None = None,
    ) -> PushResult:
        return await push.push_blob(self._remote, descriptor, open_blob, mount_from=mount_from)

    async def push_manifest(
        self, target: Tag | Digest, descriptor: Descriptor, content: bytes
    ) -> None:
        await push.push_manifest(self._remote, target, descriptor, content)
