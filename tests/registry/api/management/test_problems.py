"""Problems: each kind of refusal as problem+json."""

import json

import pytest

from oci.errors import OCIError
from registry.api.errors import EndpointUnknown, MethodNotAllowed, PathInvalid
from registry.api.management.bodies import problems_of
from registry.api.management.problems import (
    MEDIA_TYPE,
    TYPES,
    BodyInvalid,
    FieldProblem,
    MediaTypeUnsupported,
    fail,
    refuse,
    type_of,
)
from registry.api.management.schemas import SCHEMAS
from registry.auth.credentials import CredentialsInvalid, CredentialsRepeated
from registry.errors import (
    Absent,
    CommandRefused,
    CommitUnknown,
    ConditionFailed,
    Conflict,
    Denied,
    Invalid,
    LoginDelayed,
    RegistryReadOnly,
    StorageFull,
    StorageUnreadable,
    TooLarge,
    TooManyRequests,
    Unauthorized,
)

KINDS: list[tuple[CommandRefused | OCIError, int, str]] = [
    (Invalid("x"), 400, "invalid"),
    (PathInvalid("x"), 400, "invalid"),
    (CredentialsRepeated(2), 400, "invalid"),
    (Unauthorized("x"), 401, "unauthorized"),
    (CredentialsInvalid("x"), 401, "unauthorized"),
    (Denied("x"), 403, "denied"),
    (Absent("x"), 404, "absent"),
    (EndpointUnknown("/x"), 404, "endpoint-unknown"),
    (MethodNotAllowed("POST", ["GET"]), 405, "method-not-allowed"),
    (Conflict("x"), 409, "conflict"),
    (ConditionFailed("x"), 412, "condition-failed"),
    (TooLarge(1, "the body"), 413, "too-large"),
    (MediaTypeUnsupported("x"), 415, "media-type"),
    (TooManyRequests("x"), 429, "too-many-requests"),
    (StorageUnreadable("x"), 503, "unavailable"),
    (RegistryReadOnly("x"), 503, "unavailable"),
    (CommitUnknown(), 503, "unavailable"),
    (StorageFull(), 507, "storage"),
]


@pytest.mark.parametrize(("error", "status", "name"), KINDS, ids=lambda value: type(value).__name__)
def test_each_kind_has_its_type_and_status(
    error: CommandRefused | OCIError, status: int, name: str
) -> None:
    answer = refuse(error, "abc")

    document = json.loads(bytes(answer.body))
    assert answer.status_code == document["status"] == status
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert answer.headers["cache-control"] == "private, no-store"
    assert document["type"] == f"urn:slipway:problem:{name}"
    assert document["detail"] == str(error)
    assert document["instance"] == "abc"
    assert problems_of(document, SCHEMAS["Problem"]) == []


def test_one_name_has_one_status_and_one_title() -> None:
    rows = {row for _, row in TYPES}

    assert len({row.name for row in rows}) == len(rows)


def test_some_refusals_have_headers_of_their_own() -> None:
    found = {
        "www-authenticate": refuse(Unauthorized("x"), "a"),
        "allow": refuse(MethodNotAllowed("POST", ["GET", "PUT"]), "a"),
        "retry-after": refuse(LoginDelayed(7.5), "a"),
    }

    assert {name: answer.headers[name] for name, answer in found.items()} == {
        "www-authenticate": 'Basic realm="slipway",charset="UTF-8"',
        "allow": "GET, PUT",
        "retry-after": "8",
    }
    assert refuse(TooManyRequests("x"), "a").headers["retry-after"] == "5"


def test_the_faults_of_a_body_are_listed() -> None:
    error = BodyInvalid([FieldProblem("/label", "x"), FieldProblem("", "y")])

    document = json.loads(bytes(refuse(error, "a").body))

    assert document["detail"] == "/label: x"
    assert document["errors"] == [
        {"pointer": "/label", "detail": "x"},
        {"pointer": "", "detail": "y"},
    ]


def test_an_unexpected_exception_tells_only_the_request_id() -> None:
    answer = fail("abc")

    document = json.loads(bytes(answer.body))
    assert answer.status_code == document["status"] == 500
    assert "abc" in document["detail"]
    assert type_of(ValueError("secret")).name == "failed"
