"""ManagementRequest: the caller, the parameters, the conditions and the body of a request."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from oci.errors import quoted
from oci.http import InvalidNumber, parse_digits
from registry.api.management.bodies import MAX_BODY, parse_body
from registry.api.management.endpoint import Endpoint
from registry.api.management.problems import MediaTypeUnsupported
from registry.api.requests import RegistryRequest
from registry.auth.decision import Standing
from registry.auth.patterns import Pattern
from registry.auth.roles import Role
from registry.errors import Invalid, TooLarge
from registry.services.context import RegistryState
from registry.services.identity.authorization import Authorization
from registry.services.identity.identity import Identity
from registry.services.management.conditions import Conditions

MAX_PAGE = 1000
DEFAULT_PAGE = 100

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"

# https://www.rfc-editor.org/rfc/rfc9110#section-8.8.3
_ENTITY_TAGS = re.compile(r'"[\x21\x23-\x7e]*"(?:[ \t]*,[ \t]*"[\x21\x23-\x7e]*")*', re.ASCII)


@dataclass(frozen=True, slots=True)
class ManagementRequest:
    """One request to one endpoint, for a caller whom the endpoint is for."""

    request: RegistryRequest
    endpoint: Endpoint
    identity: Identity
    standing: Standing
    endpoints: Sequence[Endpoint] = ()
    """The whole table, for its document."""

    @property
    def state(self) -> RegistryState:
        return self.request.authorizer.registry.state

    @property
    def authorization(self) -> Authorization:
        return self.request.authorizer.authorization

    @property
    def actor(self) -> str:
        return self.identity.name

    def part(self, name: str) -> str:
        """A part of the path."""
        found: str = self.request.path_params[name]
        return found

    def query(self, name: str) -> str | None:
        """A parameter of the endpoint's, which was checked to be given once."""
        return self.request.query_params.get(name)

    def required(self, name: str) -> str:
        """A parameter that must be given; raises Invalid."""
        found = self.query(name)
        if not found:
            raise Invalid(f"parameter {name} is missing, expected a value")
        return found

    def check_query(self) -> None:
        """Raise Invalid for a parameter that the endpoint does not have, and for a repeated one."""
        known = [each.name for each in self.endpoint.query]
        for name, _ in self.request.query_params.multi_items():
            if name not in known:
                expected = f"one of {', '.join(known)}" if known else "none"
                raise Invalid(f"parameter {quoted(name)} is unknown, expected {expected}")
            if len(self.request.query_params.getlist(name)) > 1:
                raise Invalid(f"parameter {name} is repeated, expected it once")

    @property
    def limit(self) -> int:
        """The most items of a page; raises Invalid unless 1 to 1,000."""
        text = self.query("limit")
        if text is None:
            return DEFAULT_PAGE
        try:
            found = parse_digits(text)
        except InvalidNumber:
            found = 0
        if not 1 <= found <= MAX_PAGE:
            raise Invalid(f"limit is {quoted(text)}, expected 1 to {MAX_PAGE}")
        return found

    @property
    def after(self) -> str | None:
        """The key of the last item of the page before, as ``cursor`` encoded it."""
        text = self.query("after")
        if text is None:
            return None
        try:
            found = base64.b64decode(text.encode(), altchars=b"-_", validate=True).decode()
        except ValueError:
            found = ""
        if not found or cursor(found) != text:
            raise Invalid(f"after is {quoted(text)}, expected the next of an earlier page")
        return found

    @property
    def conditions(self) -> Conditions:
        """If-Match and If-None-Match; raises Invalid for one that is malformed."""
        headers = self.request.headers
        absent, expected = headers.get("if-none-match", ""), headers.get("if-match", "")
        if absent not in ("", "*"):
            raise Invalid(f"If-None-Match is {quoted(absent)}, expected *")
        if expected in ("", "*"):
            return Conditions(is_new=absent == "*", exists=expected == "*")
        if _ENTITY_TAGS.fullmatch(expected) is None:
            raise Invalid(f"If-Match is {quoted(expected)}, expected * or an ETag of ours")
        tags = expected.replace('"', "").replace(" ", "").replace("\t", "").split(",")
        return Conditions(is_new=absent == "*", revisions=frozenset(tags))

    async def body(self) -> dict[str, Any]:
        """The body, by the endpoint's schema.

        Raises MediaTypeUnsupported, TooLarge or Invalid.  A browser sends no JSON to another
        site's server without asking it first.
        """
        accepted = (JSON, MERGE_PATCH) if self.endpoint.method == "PATCH" else (JSON,)
        given = self.request.headers.get("content-type", "")
        if given.partition(";")[0].strip().lower() not in accepted:
            raise MediaTypeUnsupported(
                f"Content-Type is {quoted(given)}, expected {' or '.join(accepted)}"
            )
        if (self.request.length or 0) > MAX_BODY:
            raise TooLarge(MAX_BODY, "the body")
        content = bytearray()
        async for chunk in self.request.chunks():
            if len(content) + len(chunk) > MAX_BODY:
                raise TooLarge(MAX_BODY, "the body")
            content += chunk
        return parse_body(bytes(content), self.endpoint.body)


def cursor(key: str) -> str:
    """The ``next`` of a page whose last item has this key."""
    return base64.urlsafe_b64encode(key.encode()).decode()


def parse_permissions(given: Sequence[dict[str, str]]) -> list[tuple[Role, Pattern]]:
    """Pairs of a role and a pattern from a checked body; raises Invalid."""
    return [(parse_role(each["role"]), parse_pattern(each["pattern"])) for each in given]


def parse_role(text: str) -> Role:
    """Raises Invalid."""
    try:
        return Role.parse(text)
    except ValueError as error:
        raise Invalid(str(error)) from None


def parse_pattern(text: str) -> Pattern:
    """Raises Invalid."""
    try:
        return Pattern.parse(text)
    except ValueError as error:
        raise Invalid(str(error)) from None
