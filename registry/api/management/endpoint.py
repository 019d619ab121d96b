"""Endpoint: a row of the management API's table; the OpenAPI document is generated from it."""

from __future__ import annotations

import typing
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from starlette.responses import Response

PREFIX = "/api/v1"

Needs = Literal["nothing", "identity", "user", "owner", "admin"]
"""The callers that an endpoint is for: ``identity`` for all who sign in, ``user`` for people and
their own account, ``admin`` for owners and for admins of a pattern, within their reach.  All but
the first two refuse a token that is narrowed."""

Schema = Mapping[str, Any]
"""A JSON schema: the part of it that ``bodies.problems_of`` checks."""

Handler = Callable[..., Awaitable[Response]]

_REFUSALS: Mapping[Needs, tuple[int, ...]] = {
    "nothing": (),
    "identity": (401, 429),
    "user": (401, 403, 429),
    "owner": (401, 403, 429),
    "admin": (401, 403, 429),
}
# Any request may be malformed, or meet a disk or a program that fails.
_ALWAYS = (400, 500, 503)
_OF_BODIES = (413, 415)
_OF_WRITES = (507,)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter."""

    name: str
    description: str
    schema: Schema = field(default_factory=lambda: {"type": "string"})
    is_required: bool = False


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One row: method and path, the callers that it is for, and all that may be sent and answered.

    ``answers``: the schema of each success, empty for none.  ``refusals``: the statuses of refusals
    beside those that follow from the rest.
    """

    method: str
    path: str
    needs: Needs
    handler: Handler
    summary: str
    answers: Mapping[int, str]
    refusals: tuple[int, ...] = ()
    query: tuple[Parameter, ...] = ()
    body: str = ""
    hidden: str = ""
    """The thing that only a permitted caller may see: for all others it is absent."""

    def __post_init__(self) -> None:
        if self.needs not in typing.get_args(Needs):
            raise ValueError(f"{self.method} {self.path}: {self.needs!r} is no kind of caller")

    @property
    def statuses(self) -> tuple[int, ...]:
        """Every status that an answer may have."""
        found = {*self.answers, *self.refusals, *_ALWAYS, *_REFUSALS[self.needs]}
        if self.body:
            found.update(_OF_BODIES)
        if self.method != "GET":
            found.update(_OF_WRITES)
        return tuple(sorted(found))
