"""Robots and their tokens, within the caller's reach."""

from __future__ import annotations

from starlette.responses import Response

from registry.api.management import documents
from registry.api.management.accounts import listed_tokens, minted
from registry.api.management.endpoint import PREFIX
from registry.api.management.requests import ManagementRequest, parse_permissions
from registry.errors import Absent
from registry.services.identity import tokens
from registry.services.management import robots


async def list_robots(request: ManagementRequest) -> Response:
    limit = request.limit
    found = await robots.list_robots(
        request.state, request.identity, last=request.after, limit=limit + 1
    )
    return documents.listed(
        request, found, limit, key=lambda each: each.principal.name, show=documents.robot
    )


async def show_robot(request: ManagementRequest) -> Response:
    found = await robots.show_robot(request.state, request.identity, request.part("robot"))
    return documents.answer(documents.robot(found), revision=found.revision)


async def replace_robot(request: ManagementRequest) -> Response:
    """A new robot has no token yet; its grants become those of the body, and no others."""
    body = await request.body()
    found = await robots.put_robot(
        request.state,
        request.identity,
        request.part("robot"),
        parse_permissions(body["grants"]),
        is_disabled=body.get("is_disabled", False),
        conditions=request.conditions,
    )
    return documents.answer(
        documents.robot(found.found),
        documents.written(found.is_new),
        revision=found.found.revision,
    )


async def delete_robot(request: ManagementRequest) -> Response:
    name = request.part("robot")
    try:
        await robots.remove_robot(request.state, request.identity, name, request.conditions)
    except Absent:
        # To an owner it is gone, as asked; others learn not whether it ever was.
        if not request.standing.is_owner:
            raise
    return documents.nothing()


async def list_robot_tokens(request: ManagementRequest) -> Response:
    await robots.require_managed(request.state, request.identity, request.part("robot"))
    return await listed_tokens(request, request.part("robot"))


async def mint_robot_token(request: ManagementRequest) -> Response:
    name = request.part("robot")
    check = robots.managing(request.identity, name)
    return await minted(request, name, f"{PREFIX}/robots/{name}/tokens", check)


async def revoke_robot_token(request: ManagementRequest) -> Response:
    name, id = request.part("robot"), request.part("id")
    check = robots.managing(request.identity, name, token=id)
    await tokens.revoke_token(request.state, request.actor, id, check)
    return documents.nothing()
