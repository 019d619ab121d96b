"""Accounts: the caller's own, ``/me``, and tokens of the caller's own or of a robot."""

from __future__ import annotations

from http import HTTPStatus

from starlette.responses import Response

from registry.api.management import documents
from registry.api.management.endpoint import PREFIX
from registry.api.management.requests import ManagementRequest, parse_permissions
from registry.auth.decision import Narrowing
from registry.errors import Absent, Denied
from registry.services.identity import principals, tokens
from registry.services.identity.principals import Check
from registry.services.identity.tokens import StoredToken
from registry.services.management import accounts


async def show_me(request: ManagementRequest) -> Response:
    """The caller: name, groups, all grants that count for them, and their token's limits."""
    found = await accounts.read_account(request.state, request.identity)
    return documents.answer(
        {
            "name": found.principal.name,
            "kind": found.principal.kind,
            "is_owner": found.principal.is_owner,
            "is_auditor": found.principal.is_auditor,
            "groups": list(found.groups),
            "grants": [
                {**documents.permission(each), "held_by": each.principal} for each in found.grants
            ],
            "token": request.identity.credential or None,
            "limits": documents.permissions(request.standing.narrowing),
        }
    )


async def list_own_tokens(request: ManagementRequest) -> Response:
    await require_user(request)
    return await listed_tokens(request, request.actor)


async def mint_own_token(request: ManagementRequest) -> Response:
    await require_user(request)
    return await minted(request, request.actor, f"{PREFIX}/me/tokens", principals.allow)


async def revoke_own_token(request: ManagementRequest) -> Response:
    await require_user(request)
    id = request.part("id")
    check = accounts.holding(request.actor, id)
    await tokens.revoke_token(request.state, request.actor, id, check)
    return documents.nothing()


async def require_user(request: ManagementRequest) -> None:
    """Raise Denied for a robot: its tokens are minted by others."""
    try:
        await principals.show(request.state, request.actor, "user")
    except Absent:
        raise Denied(
            f"{request.actor} is a robot: the admins of its patterns mint its tokens"
        ) from None


async def listed_tokens(request: ManagementRequest, holder: str) -> Response:
    """The tokens of one principal, oldest first."""
    found, after = await tokens.list_tokens(request.state, holder), request.after
    if after is not None:
        found = [each for each in found if _key(each) > after]
    return documents.listed(request, found, request.limit, key=_key, show=documents.token)


async def minted(
    request: ManagementRequest, holder: str, collection: str, check: Check
) -> Response:
    """A new token: its secret is in this answer, and in no other."""
    body = await request.body()
    life, limits = body.get("expires_in"), parse_permissions(body.get("limits", ()))
    found = await tokens.mint_token(
        request.state,
        request.actor,
        holder,
        label=body.get("label", ""),
        limits=[Narrowing(*each) for each in limits] or None,
        life_ms=None if life is None else life * 1000,
        check=check,
    )
    return documents.answer(
        documents.minted_token(found),
        HTTPStatus.CREATED,
        location=f"{collection}/{found.secret.id}",
    )


def _key(token: StoredToken) -> str:
    return f"{token.created_at:020d} {token.id}"
