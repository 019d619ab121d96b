"""A registry that asks for credentials, and clients that have them."""

import base64
from collections.abc import AsyncIterator

import pytest

from runner.credentials import Credentials
from runner.remote.client import RegistryClients
from runner.remote.retry import RetryPolicy
from tests.support.images import an_image
from tests.support.runner.fake_registry import FakeRegistry, Reply

ALICE = Credentials("alice", "secret")
BASIC = "Basic " + base64.b64encode(b"alice:secret").decode()


def needs_basic(registry: FakeRegistry) -> None:
    challenge = Reply(401, headers={"WWW-Authenticate": 'Basic realm="registry"'})
    registry.behaviours.append(
        lambda seen: None if seen.headers.get("authorization") == BASIC else challenge
    )


@pytest.fixture
async def registry() -> AsyncIterator[FakeRegistry]:
    async with FakeRegistry() as registry:
        registry.put(an_image())
        yield registry


@pytest.fixture
async def clients() -> AsyncIterator[RegistryClients]:
    clients = RegistryClients(retry_policy=RetryPolicy(first_wait_seconds=0.01))
    yield clients
    await clients.aclose()
