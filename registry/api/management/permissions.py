"""Grants, locks, and explanations of decisions, within the caller's reach."""

from __future__ import annotations

import contextlib
from typing import cast, get_args

from starlette.responses import Response

from oci.errors import OCIError, quoted
from oci.reference import RepositoryName, Tag
from registry.api.management import documents
from registry.api.management.requests import ManagementRequest, parse_pattern, parse_role
from registry.auth.globs import Glob
from registry.auth.roles import NEEDED, Access, Role
from registry.errors import Absent, Denied, Invalid
from registry.services.identity import grants
from registry.services.management import permissions

ACTIONS = tuple(each for each in get_args(Access) if each in NEEDED)


async def list_grants(request: ManagementRequest) -> Response:
    limit, after = request.limit, request.after
    if after is not None and not (after.isascii() and after.isdigit() and len(after) < 19):
        raise Invalid("after is of another list, expected the next of an earlier page")
    found = await permissions.list_grants(
        request.state,
        request.identity,
        request.query("who"),
        after=int(after or 0),
        limit=limit + 1,
    )
    return documents.listed(
        request, found, limit, key=lambda each: str(each.id), show=documents.grant
    )


async def replace_grant(request: ManagementRequest) -> Response:
    """One role for each principal and pattern: it takes the place of the one before."""
    role = parse_role((await request.body())["role"])
    written = await permissions.write_grant(
        request.state,
        request.identity,
        request.part("who"),
        role,
        parse_pattern(request.required("pattern")),
        request.conditions,
    )
    return documents.answer(
        documents.grant(written.found),
        documents.written(written.is_new),
        revision=permissions.grant_revision(written.found),
    )


async def remove_grant(request: ManagementRequest) -> Response:
    with contextlib.suppress(Absent):
        await permissions.delete_grant(
            request.state,
            request.identity,
            request.part("who"),
            parse_pattern(request.required("pattern")),
            request.conditions,
        )
    return documents.nothing()


async def list_locks(request: ManagementRequest) -> Response:
    limit = request.limit
    found = await permissions.list_locks(
        request.state, request.identity, last=request.after, limit=limit + 1
    )
    return documents.listed(request, found, limit, key=lambda each: each.name, show=documents.lock)


async def show_lock(request: ManagementRequest) -> Response:
    found = await permissions.show_lock(request.state, request.identity, request.part("lock"))
    return documents.answer(documents.lock(found), revision=permissions.lock_revision(found))


async def replace_lock(request: ManagementRequest) -> Response:
    body, name = await request.body(), request.part("lock")
    try:
        glob = Glob.parse(body["tags"])
    except ValueError as error:
        raise Invalid(str(error)) from None
    written = await permissions.write_lock(
        request.state,
        request.identity,
        name,
        parse_pattern(body["pattern"]),
        glob,
        request.conditions,
    )
    return documents.answer(
        documents.lock(written.found),
        documents.written(written.is_new),
        revision=permissions.lock_revision(written.found),
    )


async def remove_lock(request: ManagementRequest) -> Response:
    name = request.part("lock")
    try:
        await permissions.delete_lock(request.state, request.identity, name, request.conditions)
    except Absent:
        # To an owner it is gone, as asked; others learn not whether it ever was.
        if not request.standing.is_owner:
            raise
    return documents.nothing()


async def explain(request: ManagementRequest) -> Response:
    """The caller by their token too; others by their grants, to admins of the repository."""
    action, who = request.required("action"), request.query("who") or request.actor
    if action not in ACTIONS:
        raise Invalid(f"action is {quoted(action)}, expected one of {', '.join(ACTIONS)}")
    repository, tag = request.required("repository"), request.query("tag")
    try:
        name = RepositoryName.parse(repository)
        if tag is not None:
            Tag.parse(tag)
    except OCIError as error:
        raise Invalid(str(error)) from None
    is_self = who == request.actor
    if not is_self:
        decided = await request.authorization.decide(request.identity, "admin", name)
        if not isinstance(decided, Role):
            raise Denied(f"{decided.reason}, to explain the access of others")
    decision = await grants.explain(
        request.state,
        request.authorization,
        who,
        cast(Access, action),
        name,
        tag,
        caller=request.identity if is_self else None,
    )
    return documents.answer(documents.explanation(who, action, repository, tag, decision))
