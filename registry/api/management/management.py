"""Management: one request in, one response out; each caller is checked before the handler.

Things within a pattern are checked again by the service, in the transaction of the change.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from oci.errors import OCIError
from registry.api.access import NOBODY
from registry.api.management.endpoint import Endpoint
from registry.api.management.problems import fail, refuse
from registry.api.management.requests import ManagementRequest
from registry.api.requests import RegistryRequest
from registry.api.routing import Router, decoded_path
from registry.auth.decision import Standing, limits
from registry.errors import Absent, CommandRefused, Denied, StorageUnreadable, Unauthorized
from registry.services.identity.identity import ANONYMOUS, Identity
from registry.services.management.reach import read_reach

log = structlog.get_logger()


class Management:
    """The management API over a table of endpoints."""

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        self._endpoints = tuple(endpoints)
        self._router = Router(self._endpoints)

    async def respond(self, request: RegistryRequest, request_id: str) -> Response:
        """The response, a refusal's too."""
        try:
            return await self._handle(request)
        except (CommandRefused, OCIError) as error:
            if isinstance(error, StorageUnreadable):
                # Logged here: a failed read trips no latch.
                log.error(str(error), request_id=request_id)
            return refuse(error, request_id)
        except ClientDisconnect:
            raise
        except Exception:
            log.exception("request failed", request_id=request_id, path=request.path)
            return fail(request_id)

    async def _handle(self, request: RegistryRequest) -> Response:
        request.scope["path"] = decoded_path(request.scope)
        endpoint, parts = self._router.match(request.method, request.path)
        request.scope["path_params"] = parts
        identity, standing = ANONYMOUS, Standing(ANONYMOUS.name)
        if endpoint.needs != "nothing":
            identity, standing = await identify(request)
            await _require(request, endpoint, identity, standing)
        found = ManagementRequest(request, endpoint, identity, standing, self._endpoints)
        found.check_query()
        return await endpoint.handler(found)


async def identify(request: RegistryRequest) -> tuple[Identity, Standing]:
    """The caller with the rows that are theirs now; raises Unauthorized or TooManyRequests."""
    authorizer = request.authorizer
    identity = await authorizer.identify(request)
    if identity.is_anonymous:
        raise Unauthorized("sign in" if authorizer.registry.has_identities else NOBODY)
    if identity.access_token is not None:
        raise Unauthorized(
            "an access token of /token is for /v2/: sign in with a password or a token"
        )
    standing = await authorizer.authorization.standing(identity, None)
    if standing.is_disabled or standing.credential_problem:
        raise Unauthorized(standing.credential_problem or f"{identity.name} is disabled")
    return identity, standing


async def _require(
    request: RegistryRequest, endpoint: Endpoint, identity: Identity, standing: Standing
) -> None:
    """Raise Denied, or Absent for a thing that only others may see."""
    if endpoint.needs == "identity":
        return
    if standing.narrowing is not None:
        raise Denied(
            f"this token is for {limits(standing.narrowing)}: it manages nothing, "
            "expected one without limits"
        )
    if endpoint.needs == "user" or standing.is_owner:
        return
    if endpoint.needs == "admin":
        found = await read_reach(request.authorizer.registry.state, identity)
        if not found.is_empty:
            return
    if endpoint.hidden:
        raise Absent(f"there is no {endpoint.hidden} {request.path_params[endpoint.hidden]}")
    wanted = "an owner" if endpoint.needs == "owner" else "an owner, or an admin of a pattern"
    raise Denied(f"{identity.name} may not do this, expected {wanted}")
