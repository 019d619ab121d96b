"""Documents: rows as the API shows them, and the responses that carry them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TypeVar

from starlette.responses import Response

from registry.api.errors import JSON
from registry.api.management.requests import ManagementRequest, cursor
from registry.api.responses import NEVER, page
from registry.auth.decision import Decision, Narrowing
from registry.services.identity.principals import Principal
from registry.services.identity.tokens import MintedToken, StoredToken
from registry.services.management.groups import ShownGroup
from registry.services.management.permissions import Grant, Lock
from registry.services.management.robots import Robot

T = TypeVar("T")
Document = dict[str, object]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def answer(
    content: Mapping[str, object],
    status: HTTPStatus = HTTPStatus.OK,
    *,
    revision: str | None = None,
    location: str | None = None,
) -> Response:
    """A document; ``revision`` becomes its ETag."""
    headers = {"Cache-Control": NEVER}
    if revision is not None:
        headers["ETag"] = f'"{revision}"'
    if location is not None:
        headers["Location"] = location
    body = json.dumps(content, separators=(",", ":"))
    return Response(body, status_code=status, headers=headers, media_type=JSON)


def written(is_new: bool) -> HTTPStatus:
    return HTTPStatus.CREATED if is_new else HTTPStatus.OK


def nothing() -> Response:
    return Response(status_code=HTTPStatus.NO_CONTENT, headers={"Cache-Control": NEVER})


def listed(
    request: ManagementRequest,
    found: Sequence[T],
    limit: int,
    *,
    key: Callable[[T], str],
    show: Callable[[T], Document],
) -> Response:
    """A page of the rows that a query for one more than ``limit`` found."""
    shown = found[:limit]
    following = cursor(key(shown[-1])) if len(found) > limit else None
    query = None
    if following is not None:
        query = {**request.request.query_params, "limit": str(limit), "after": following}
    return page(
        {"items": [show(each) for each in shown], "next": following},
        path=request.request.path,
        next_query=query,
    )


def time(at: int | None) -> str | None:
    """Milliseconds since 1970, in RFC 3339.

    >>> time(1_500)
    '1970-01-01T00:00:01.500Z'
    """
    if at is None:
        return None
    found = _EPOCH + timedelta(milliseconds=at)
    return found.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def user(found: Principal) -> Document:
    return {
        "name": found.name,
        "is_owner": found.is_owner,
        "is_auditor": found.is_auditor,
        "is_disabled": found.disabled_at is not None,
        "has_password": found.password is not None,
        **_created(found.created_at, found.created_by),
    }


def group(found: Principal) -> Document:
    return {"name": found.name, **_created(found.created_at, found.created_by)}


def group_with_members(found: ShownGroup) -> Document:
    return {**group(found.group), "members": list(found.members)}


def robot(found: Robot) -> Document:
    principal = found.principal
    return {
        "name": principal.name,
        "is_disabled": principal.disabled_at is not None,
        "grants": [permission(each) for each in found.grants],
        **_created(principal.created_at, principal.created_by),
    }


def permission(found: Grant | Narrowing) -> Document:
    return {"role": str(found.role), "pattern": str(found.pattern)}


def permissions(found: Iterable[Narrowing] | None) -> list[Document] | None:
    return None if found is None else [permission(each) for each in found]


def token(found: StoredToken) -> Document:
    return {
        "id": found.id,
        "principal": found.principal,
        "label": found.label,
        "limits": permissions(found.limits),
        **_created(found.created_at, found.created_by),
        "expires_at": time(found.expires_at),
        "last_used_at": time(found.last_used_at),
        "last_used_from": found.last_used_from,
    }


def minted_token(found: MintedToken) -> Document:
    """The only document with a secret."""
    return {
        "id": found.secret.id,
        "principal": found.principal,
        "secret": found.secret.text,
        "expires_at": time(found.expires_at),
    }


def grant(found: Grant) -> Document:
    return {
        "who": found.principal,
        "kind": found.kind,
        **permission(found),
        **_created(found.created_at, found.created_by),
    }


def lock(found: Lock) -> Document:
    return {
        "name": found.name,
        "pattern": str(found.pattern),
        "tags": str(found.tags),
        **_created(found.created_at, found.created_by),
    }


def explanation(
    who: str, action: str, repository: str, tag: str | None, decision: Decision
) -> Document:
    return {
        "who": who,
        "action": action,
        "repository": repository,
        "tag": tag,
        "is_allowed": decision.is_allowed,
        "reason": decision.reason,
        "steps": [
            {"name": step.name, "passed": step.is_passed, "text": step.text}
            for step in decision.steps
        ],
    }


def _created(at: int, by: str) -> Document:
    return {"created_at": time(at), "created_by": by}
