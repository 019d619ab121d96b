"""Managed: the management API of an open registry; each answer is held against the table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx2

from registry.api.errors import EndpointUnknown, MethodNotAllowed
from registry.api.management.bodies import problems_of
from registry.api.management.endpoint import PREFIX
from registry.api.management.endpoints import ENDPOINTS
from registry.api.management.problems import MEDIA_TYPE
from registry.api.management.schemas import SCHEMAS
from registry.api.routing import Router
from tests.support.registry.identified import Headers, Identified

ROUTER = Router(ENDPOINTS)


@dataclass(frozen=True)
class Managed:
    """Calls of one registry."""

    opened: Identified

    async def call(
        self,
        method: str,
        path: str,
        headers: Headers | None = None,
        body: object = None,
        **more: Any,
    ) -> httpx2.Response:
        """One answer, after it was found to be one that the table declares."""
        given: dict[str, Any] = {"json": body} if body is not None else {}
        answer = await self.opened.client.request(
            method, PREFIX + path, headers=headers, **given, **more
        )
        check_declared(method, PREFIX + path.partition("?")[0], answer)
        return answer


def check_declared(method: str, path: str, answer: httpx2.Response) -> None:
    assert answer.headers["cache-control"] == "private, no-store"
    if answer.status_code >= 400:
        check_problem(answer)
    try:
        endpoint, _ = ROUTER.match(method, path)
    except (EndpointUnknown, MethodNotAllowed):
        assert answer.status_code in (401, 404, 405)
        return
    assert answer.status_code in endpoint.statuses, (method, path, answer.text)
    schema = endpoint.answers.get(answer.status_code)
    if schema and schema != "OpenAPI":
        assert answer.headers["content-type"] == "application/json"
        assert problems_of(answer.json(), SCHEMAS[schema]) == [], answer.text
    elif schema == "":
        assert answer.content == b""


def check_problem(answer: httpx2.Response) -> None:
    assert answer.headers["content-type"] == MEDIA_TYPE
    document = answer.json()
    assert problems_of(document, SCHEMAS["Problem"]) == [], answer.text
    assert document["status"] == answer.status_code
    assert document["instance"] == answer.headers["x-request-id"]
    assert document["type"].startswith("urn:slipway:problem:")


def refused(answer: httpx2.Response, status: int, detail: str = "") -> None:
    """Assert a refusal, with a part of its detail."""
    assert answer.status_code == status, answer.text
    assert detail in answer.json()["detail"]
