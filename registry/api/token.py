"""Tokens for Bearer headers: GET and POST /token.

https://distribution.github.io/distribution/spec/auth/token/
https://distribution.github.io/distribution/spec/auth/oauth/
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from urllib.parse import parse_qs

from starlette.responses import Response

from registry.api.client_address import network_of
from registry.api.errors import JSON, QueryInvalid
from registry.api.requests import RegistryRequest
from registry.api.responses import NEVER
from registry.auth.credentials import BasicCredentials, is_too_long
from registry.auth.scopes import Scope, format_scopes, parse_scopes
from registry.errors import Unauthorized
from registry.services.identity.identity import Identity
from registry.services.repositories import Registry

MAX_FORM_BYTES = 64 * 1024
MAX_FIELDS = 200

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT_TYPE = "urn:ietf:params:oauth:token-type:jwt"
ACCESS_TYPE = "urn:ietf:params:oauth:token-type:access_token"

Form = dict[str, list[str]]


async def get_token(request: RegistryRequest, registry: Registry) -> Response:
    """GET: an access token for the caller of Basic credentials, or for anonymous."""
    identity = await request.authorizer.identify(request)
    if identity.access_token is not None:
        # It is for less than its owner may have, and for minutes: it gets no other token.
        raise Unauthorized("an access token gets no other: sign in with a password or a token")
    query = request.query_params
    scopes = parse_scopes(query.getlist("scope"))
    offline = query.get("offline_token", "").lower() in ("true", "1")
    return await _issue(request, identity, scopes, offline=offline)


async def post_token(request: RegistryRequest, registry: Registry) -> Response:
    """POST: the same by OAuth 2: ``grant_type`` password, refresh_token, or a token exchange."""
    form = await _form(request)
    kind = _one(form, "grant_type")
    tokens = request.authorizer.tokens
    if kind == "refresh_token":
        identity = await tokens.refresh(_one(form, "refresh_token"))
    elif kind == "password":
        user, password = _one(form, "username"), _one(form, "password")
        if is_too_long(user, password):
            raise Unauthorized("the user or the password is too long")
        credentials = BasicCredentials(user, password)
        identity = await request.authorizer.sign_in(credentials, network_of(request.scope))
    elif kind == EXCHANGE:
        return await _exchange(request, form)
    else:
        expected = f"expected password, refresh_token or {EXCHANGE}"
        return _oauth_error("unsupported_grant_type", expected)
    offline = _optional(form, "access_type") == "offline"
    scopes = parse_scopes(form.get("scope", []))
    return await _issue(request, identity, scopes, offline=offline)


async def _exchange(request: RegistryRequest, form: Form) -> Response:
    """An access token for a CI's own token, with which the caller also signs in as ``oidc``.

    https://www.rfc-editor.org/rfc/rfc8693
    """
    if _one(form, "subject_token_type") != JWT_TYPE:
        return _oauth_error("invalid_request", f"expected subject_token_type {JWT_TYPE}")
    if _optional(form, "requested_token_type") not in (None, ACCESS_TYPE):
        return _oauth_error("invalid_request", f"expected requested_token_type {ACCESS_TYPE}")
    if "actor_token" in form:
        return _oauth_error("invalid_request", "expected no actor_token")
    authentication = request.authorizer.authentication
    text = _one(form, "subject_token")
    identity = await authentication.exchanged(text, network_of(request.scope))
    asked = form.get("scope", [])
    return await _issue(
        request,
        identity,
        parse_scopes(asked),
        offline=False,
        is_exchange=True,
        signs_in=not any(asked),
    )


async def _issue(
    request: RegistryRequest,
    identity: Identity,
    scopes: Sequence[Scope],
    *,
    offline: bool,
    is_exchange: bool = False,
    signs_in: bool = False,
) -> Response:
    issued = await request.authorizer.tokens.issue(
        identity, scopes, offline=offline, is_exchange=is_exchange, signs_in=signs_in
    )
    began = datetime.fromtimestamp(issued.issued_at, UTC)
    document = {
        "token": issued.text,
        "access_token": issued.text,
        "expires_in": issued.lifetime,
        "issued_at": began.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "scope": format_scopes(issued.scopes),
    }
    if is_exchange:
        document |= {"issued_token_type": ACCESS_TYPE, "token_type": "Bearer"}
    if issued.refresh is not None:
        document["refresh_token"] = issued.refresh
    return _answer(document, HTTPStatus.OK)


async def _form(request: RegistryRequest) -> Form:
    content = await request.read(MAX_FORM_BYTES)
    try:
        return parse_qs(content.decode(), True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError:
        raise QueryInvalid("the body is no form of application/x-www-form-urlencoded") from None


def _optional(form: Form, name: str) -> str | None:
    values = form.get(name, [])
    if len(values) > 1:
        raise QueryInvalid(f"{name} is given {len(values)} times, expected once")
    return values[0] if values else None


def _one(form: Form, name: str) -> str:
    value = _optional(form, name)
    if not value:
        raise QueryInvalid(f"{name} is missing")
    return value


def _oauth_error(code: str, text: str) -> Response:
    # RFC 6749 5.2
    return _answer({"error": code, "error_description": text}, HTTPStatus.BAD_REQUEST)


def _answer(document: dict[str, object], status: HTTPStatus) -> Response:
    headers = {"Cache-Control": NEVER, "Pragma": "no-cache"}
    body = json.dumps(document, separators=(",", ":")).encode()
    return Response(body, status_code=status, headers=headers, media_type=JSON)
