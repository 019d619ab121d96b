"""Liveness, readiness, and the API version check.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#determining-support
"""

import json
from http import HTTPStatus

from starlette.responses import Response

from registry.api.errors import JSON
from registry.api.requests import RegistryRequest
from registry.api.responses import NEVER
from registry.services.repositories import Registry

_NEVER = {"Cache-Control": NEVER}


async def check_support(request: RegistryRequest, registry: Registry) -> Response:
    """end-1: GET /v2/, 200 if this registry implements the specification."""
    headers = {"Docker-Distribution-API-Version": "registry/2.0", **_NEVER}
    return Response(b"{}", headers=headers, media_type=JSON)


async def check_alive(request: RegistryRequest, registry: Registry) -> Response:
    """GET /healthz: liveness of the process."""
    return Response(b'{"status":"ok"}', headers=_NEVER, media_type=JSON)


async def check_ready(request: RegistryRequest, registry: Registry) -> Response:
    """GET /readyz: whether requests of every kind should be sent here.

    Ready means that the database answers, writes are allowed, every background task runs, and the
    server is not stopping.  A job whose last run failed is named, without changing the status.
    """
    if request.is_stopping:
        return _not_ready({"status": "stopping"})
    await registry.names(last=None, n=1)
    problem = registry.problem or request.background.problem
    if problem is not None:
        return _not_ready({"status": "not ready", "reason": problem})
    failing = request.background.failing
    more = {"failing": list(failing)} if failing else {}
    return _answer({"status": "ready", **more}, HTTPStatus.OK)


def _not_ready(document: dict[str, object]) -> Response:
    return _answer(document, HTTPStatus.SERVICE_UNAVAILABLE)


def _answer(document: dict[str, object], status: HTTPStatus) -> Response:
    body = json.dumps(document, separators=(",", ":"))
    return Response(body, status_code=status, headers=_NEVER, media_type=JSON)
