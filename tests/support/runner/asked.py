"""Requests to the daemon's handlers, and containers that can only be listed and pruned."""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from runner.daemon.api.routes import router
from runner.daemon.http.messages import Query, Request, Response
from runner.daemon.services import Services
from runner.services.containers.container import Container, MountPoint
from runner.services.containers.lifecycle import State
from tests.support.runner.containers import a_container

NOW = datetime.now(UTC)
OLD = a_container("old", created=NOW - timedelta(days=20), labels={"keep": "", "team": "blue"})
MIDDLE = a_container(
    "web-1",
    created=NOW - timedelta(days=10),
    state=State.EXITED,
    exit_code=3,
    mounts=(MountPoint("volume", "/v", "/data", volume="used"),),
)
NEW = a_container("web-2", "other", created=NOW, labels={"team": "red"}, network_mode="host")


@dataclass
class FakeContainers:
    """Containers that can be listed and pruned, and nothing else."""

    all: tuple[Container, ...] = ()

    def list(self) -> tuple[Container, ...]:
        return self.all

    async def prune(self, matches: Callable[[Container], bool]) -> tuple[tuple[str, ...], int]:
        gone = tuple(one for one in self.all if matches(one))
        self.all = tuple(one for one in self.all if one not in gone)
        return tuple(one.id for one in gone), 0


async def ask(services: Services, method: str, path: str, filters: object) -> Any:
    """The document that is answered; without a version in the path, it is the newest."""
    query = Query.parse(f"all=1&filters={quote(json.dumps(filters))}")
    answer = await router(services)(Request(method, path, (0, 0), query, {}, nothing()))
    assert isinstance(answer, Response)
    return json.loads(answer.body) if isinstance(answer.body, bytes) else None


async def nothing() -> AsyncIterator[bytes]:
    for chunk in list[bytes]():
        yield chunk
