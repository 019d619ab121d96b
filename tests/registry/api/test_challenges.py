"""Challenges: the header of a 401 tells where a token is to be had, for what, and why."""

from starlette.types import Scope

from registry.api.challenges import challenge
from registry.errors import Unauthorized

SCOPE: Scope = {"path": "/v2/a/", "scheme": "http", "headers": [(b"host", b"registry.test:5000")]}


def test_a_refused_caller_reads_the_reason_in_the_header_too() -> None:
    refusal = Unauthorized("ci holds pull", scope="repository:a:push", error="insufficient_scope")

    found = challenge(SCOPE, refusal, "").parameters

    assert found["error_description"] == "ci holds pull"
    assert found["realm"] == "http://registry.test:5000/token"


def test_a_description_has_no_character_that_the_header_may_not_have() -> None:
    refusal = Unauthorized('a "quoted" \\ text', error="invalid_token")

    found = challenge(SCOPE, refusal, "").parameters

    assert found["error_description"] == "a 'quoted' / text"


def test_a_caller_without_credentials_gets_no_description() -> None:
    found = challenge(SCOPE, Unauthorized("sign in"), "https://registry.example").parameters

    assert set(found) == {"realm", "service"}
    assert found["realm"] == "https://registry.example/token"
