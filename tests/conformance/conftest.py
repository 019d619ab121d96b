"""Clients of real registry processes, each test with a repository of its own."""

import uuid
from collections.abc import Callable, Iterator

import httpx2
import pytest

from tests.support.processes import RegistryServer, registry_server
from tests.support.registry.conformance import Client


@pytest.fixture
def http(shared_registry: RegistryServer) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=shared_registry.url, timeout=60, verify=False) as http:
        yield http


@pytest.fixture
def a_client(http: httpx2.Client) -> Callable[[], Client]:
    return lambda: Client(http, f"conformance/{uuid.uuid4().hex}")


@pytest.fixture
def client(a_client: Callable[[], Client]) -> Client:
    return a_client()


@pytest.fixture(scope="module")
def sparse_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryServer]:
    environment = {"REGISTRY_MANIFESTS__SPARSE": "any"}
    root = tmp_path_factory.mktemp("sparse")
    with registry_server(root, environment=environment) as server:
        yield server


@pytest.fixture
def sparse(sparse_registry: RegistryServer) -> Iterator[Client]:
    with httpx2.Client(base_url=sparse_registry.url, timeout=60, verify=False) as http:
        yield Client(http, f"conformance/{uuid.uuid4().hex}")
