"""A registry that is open, and its commands."""

import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from oci.reference import RepositoryName
from registry.admin.command import Document
from registry.admin.commands import start
from registry.admin.open_registry import OpenRegistry
from registry.app import open_registry
from registry.config import load_settings
from registry.services.repositories import Caller, Repository
from registry.storage.disk.root import Root
from tests.support import http
from tests.support.processes import RegistryServer, registry_server
from tests.support.registry import schema
from tests.support.registry.administered import INDEX, OCI


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[OpenRegistry]:
    settings = load_settings(
        flags={"storage.root": str(tmp_path / "root"), "disk.min_free_bytes": "0"}
    )
    with Root.open(tmp_path / "root") as root:
        schema.upgrade(root.database)
        async with open_registry(settings, root) as opened:
            yield opened


async def told(opened: OpenRegistry, command: str, **arguments: object) -> list[Document]:
    async with contextlib.aclosing(start(opened, command, arguments)) as documents:
        return [document async for document in documents]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryServer]:
    # Longer than the address of a socket may be.
    root = tmp_path_factory.mktemp("x" * 120) / "root"
    with registry_server(root) as server:
        assert http.put(
            f"{server.url}/v2/team/app/manifests/1", content=INDEX, headers={"Content-Type": OCI}
        ).is_success
        yield server


def repository(opened: OpenRegistry, name: str, address: str = "") -> Repository:
    caller = Caller(address, is_anonymous=True)
    parsed = RepositoryName.parse(name)
    return opened.registry.repository(parsed, "anonymous", may_push=True, caller=caller)
