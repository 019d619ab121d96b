"""Users: list, show, put, change, remove."""

from __future__ import annotations

import contextlib

from starlette.responses import Response

from registry.api.management import documents
from registry.api.management.requests import ManagementRequest
from registry.errors import Absent
from registry.services.identity import principals
from registry.services.management.users import (
    UserChange,
    change_user,
    put_user,
    remove_user,
    revision,
)


async def list_users(request: ManagementRequest) -> Response:
    limit = request.limit
    found = await principals.list_principals(
        request.state, "user", last=request.after, limit=limit + 1
    )
    return documents.listed(request, found, limit, key=lambda each: each.name, show=documents.user)


async def show_user(request: ManagementRequest) -> Response:
    found = await principals.show(request.state, request.part("user"), "user")
    return documents.answer(documents.user(found), revision=revision(found))


async def replace_user(request: ManagementRequest) -> Response:
    """Flags that the body leaves out are off; a password that it leaves out stays."""
    body = await request.body()
    flags = {name: body.get(name, False) for name in ("is_owner", "is_auditor", "is_disabled")}
    found = await put_user(
        request.state,
        request.actor,
        request.part("user"),
        UserChange(**flags, password=body.get("password")),
        request.conditions,
    )
    return documents.answer(
        documents.user(found.found),
        documents.written(found.is_new),
        revision=revision(found.found),
    )


async def patch_user(request: ManagementRequest) -> Response:
    """A merge patch: a password of null is removed."""
    body = await request.body()
    removes_password = "password" in body and body["password"] is None
    found = await change_user(
        request.state,
        request.actor,
        request.part("user"),
        UserChange(**body, removes_password=removes_password),
        request.conditions,
    )
    return documents.answer(documents.user(found), revision=revision(found))


async def delete_user(request: ManagementRequest) -> Response:
    # Absent if it was removed already, perhaps by this request's first attempt.
    with contextlib.suppress(Absent):
        await remove_user(request.state, request.actor, request.part("user"), request.conditions)
    return documents.nothing()
