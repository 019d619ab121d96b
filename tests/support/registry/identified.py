"""Identified: the whole application in this process, with identities that use tokens.

Checking a token takes no time; checking a password takes some milliseconds on purpose.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from registry.api.access import Authorizer
from registry.app import build_application
from registry.auth.decision import Narrowing
from registry.auth.patterns import Pattern
from registry.auth.roles import Role
from registry.background import BackgroundTasks
from registry.config import (
    AccessSettings,
    Anonymous,
    ExternalURL,
    LogSettings,
    ServerSettings,
    Settings,
    StorageSettings,
)
from registry.services.context import RegistryState
from registry.services.identity import grants, principals, tokens
from registry.storage.disk.root import Root
from tests.support.registry.schema import upgrade
from tests.support.registry.wire import lived

ACTOR = "operator"
PASSWORD = "correct horse battery"  # noqa: S105  # of tests

QUIET = LogSettings(requests=False)

Headers = dict[str, str]


@dataclass(frozen=True, slots=True)
class Identified:
    """An open registry: its client, and the state behind it."""

    client: httpx2.AsyncClient
    authorizer: Authorizer

    @property
    def state(self) -> RegistryState:
        return self.authorizer.registry._state

    async def user(
        self,
        name: str,
        *given: str,
        password: str | None = None,
        is_owner: bool = False,
        is_auditor: bool = False,
    ) -> Headers:
        """Add a user with grants, each as ``ROLE PATTERN``; returns the headers of a token."""
        await principals.add_user(
            self.state, ACTOR, name, password=password, is_owner=is_owner, is_auditor=is_auditor
        )
        await self.grant(name, *given)
        return await self.token(name)

    async def robot(self, name: str, *given: str) -> Headers:
        minted = await tokens.add_robot(self.state, ACTOR, name, parsed(given), life_ms=None)
        return basic(name, minted.secret.text)

    async def grant(self, name: str, *given: str) -> None:
        for role, pattern in parsed(given):
            await grants.add_grant(self.state, ACTOR, name, role, pattern)

    async def revoke(self, name: str, pattern: str) -> None:
        await grants.remove_grant(self.state, ACTOR, name, Pattern.parse(pattern))

    async def token(
        self, name: str, *limits: str, life_ms: int | None = None, label: str = "test"
    ) -> Headers:
        """The headers of a new token; ``limits`` narrow it, each as ``ROLE PATTERN``."""
        narrow = [Narrowing(role, pattern) for role, pattern in parsed(limits)] or None
        minted = await tokens.mint_token(
            self.state, ACTOR, name, label=label, limits=narrow, life_ms=life_ms
        )
        return basic(name, minted.secret.text)

    async def bearer(self, headers: Headers | None, *scopes: str) -> Headers:
        """The headers of an access token for some scopes, got by GET /token."""
        answer = await self.client.get(
            "/token", params=[("scope", scope) for scope in scopes], headers=headers
        )
        assert answer.status_code == 200, answer.text
        return {"Authorization": f"Bearer {answer.json()['token']}"}


def parsed(given: Sequence[str]) -> list[tuple[Role, Pattern]]:
    pairs = [each.split() for each in given]
    return [(Role.parse(role), Pattern.parse(pattern)) for role, pattern in pairs]


def basic(user: str, password: str) -> Headers:
    encoded = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {encoded}"}


def secret_of(headers: Headers) -> str:
    """The token in the headers of Basic credentials."""
    decoded = base64.b64decode(headers["Authorization"].removeprefix("Basic ")).decode()
    return decoded.partition(":")[2]


@asynccontextmanager
async def identified(
    root: Path,
    anonymous: Anonymous = "none",
    external_url: str = "",
    *,
    logs: LogSettings = QUIET,
) -> AsyncIterator[Identified]:
    """Open the registry in ``root``; as often as a test likes, each time with other settings."""
    server = ServerSettings(external_url=ExternalURL.parse(external_url)) if external_url else None
    settings = Settings(
        server=server or ServerSettings(),
        access=AccessSettings(anonymous),
        storage=StorageSettings(root),
        logs=logs,
    )
    with Root.open(root) as opened:
        upgrade(opened.database)
        async with lived(build_application(settings, opened, BackgroundTasks())) as application:
            transport = httpx2.ASGITransport(app=application)
            client = httpx2.AsyncClient(transport=transport, base_url="http://registry.test")
            authorizer = application._authorizer
            assert authorizer is not None
            yield Identified(client, authorizer)


async def rows(found: Identified, *tables: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of some tables."""

    def unit(connection: Any) -> dict[str, list[tuple[Any, ...]]]:
        return {
            table: [
                tuple(row)
                for row in connection.exec_driver_sql(f"SELECT * FROM {table}")  # noqa: S608
            ]
            for table in tables
        }

    return await found.state.database.read(unit)
