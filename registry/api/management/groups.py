"""Groups and their members."""

from __future__ import annotations

import contextlib

from starlette.responses import Response

from registry.api.management import documents
from registry.api.management.requests import ManagementRequest
from registry.errors import Absent
from registry.services.identity import principals
from registry.services.management.groups import put_group, remove_group, show_group


async def list_groups(request: ManagementRequest) -> Response:
    limit = request.limit
    found = await principals.list_principals(
        request.state, "group", last=request.after, limit=limit + 1
    )
    return documents.listed(request, found, limit, key=lambda each: each.name, show=documents.group)


async def get_group(request: ManagementRequest) -> Response:
    found = await show_group(request.state, request.part("group"))
    return documents.answer(documents.group_with_members(found), revision=found.revision)


async def replace_group(request: ManagementRequest) -> Response:
    """Members stay: they have endpoints of their own."""
    await request.body()
    name = request.part("group")
    is_new = await put_group(request.state, request.actor, name, request.conditions)
    found = await show_group(request.state, name)
    return documents.answer(
        documents.group_with_members(found), documents.written(is_new), revision=found.revision
    )


async def delete_group(request: ManagementRequest) -> Response:
    with contextlib.suppress(Absent):
        await remove_group(request.state, request.actor, request.part("group"), request.conditions)
    return documents.nothing()


async def add_member(request: ManagementRequest) -> Response:
    await principals.add_member(
        request.state, request.actor, request.part("group"), request.part("member")
    )
    return documents.nothing()


async def remove_member(request: ManagementRequest) -> Response:
    with contextlib.suppress(Absent):
        await principals.remove_member(
            request.state, request.actor, request.part("group"), request.part("member")
        )
    return documents.nothing()
