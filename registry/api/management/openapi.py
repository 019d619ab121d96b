"""OpenAPI: the document of the management API, generated from the endpoint table.

https://spec.openapis.org/oas/v3.1.1.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from registry.api.errors import JSON
from registry.api.management import documents
from registry.api.management.endpoint import Endpoint
from registry.api.management.problems import MEDIA_TYPE
from registry.api.management.requests import MERGE_PATCH, ManagementRequest
from registry.api.management.schemas import SCHEMAS, reference

VERSION = "1"

_PART = re.compile(r"\{(\w+)\}", re.ASCII)


async def show_document(request: ManagementRequest) -> Response:
    return documents.answer(openapi(request.endpoints))


def openapi(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """The document of a table."""
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.1",
        "info": {"title": "Slipway management API", "version": VERSION},
        "paths": paths,
        "components": {
            "schemas": dict(SCHEMAS),
            "securitySchemes": {
                "basic": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "A name with its password, or with a token in its place.",
                },
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token, slipway_…; none that /token gave.",
                },
            },
        },
    }


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": endpoint.handler.__name__,
        "summary": endpoint.summary,
        "security": [] if endpoint.needs == "nothing" else [{"basic": []}, {"bearer": []}],
        "parameters": _parameters(endpoint),
        "responses": {str(status): _response(endpoint, status) for status in endpoint.statuses},
    }
    if endpoint.body:
        media_types = [JSON, MERGE_PATCH] if endpoint.method == "PATCH" else [JSON]
        found["requestBody"] = {
            "required": True,
            "content": {each: {"schema": reference(endpoint.body)} for each in media_types},
        }
    return found


def _parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    parts = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PART.findall(endpoint.path)
    ]
    query = [
        {
            "name": each.name,
            "in": "query",
            "required": each.is_required,
            "description": each.description,
            "schema": dict(each.schema),
        }
        for each in endpoint.query
    ]
    return [*parts, *query]


def _response(endpoint: Endpoint, status: int) -> dict[str, Any]:
    found: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    if status not in endpoint.answers:
        found["content"] = {MEDIA_TYPE: {"schema": reference("Problem")}}
    elif endpoint.answers[status]:
        found["content"] = {JSON: {"schema": reference(endpoint.answers[status])}}
    return found
