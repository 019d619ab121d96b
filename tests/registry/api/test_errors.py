"""Errors: each refusal is one response, with the headers that its clients go on from."""

import json

import pytest

from oci.digest import Digest
from oci.errors import OCIError
from oci.ranges import RangeNotSatisfiable
from registry.api.errors import (
    EndpointUnknown,
    MethodNotAllowed,
    TooManyTags,
    fail,
    refuse,
)
from registry.errors import (
    BlobUnknown,
    CommitUnknown,
    RangeInvalid,
    TooManyRequests,
    Unauthorized,
)

PATH = "/v2/team/app/blobs/uploads/1"


@pytest.mark.parametrize(
    ("error", "status", "headers"),
    [
        (
            Unauthorized("no"),
            401,
            {"docker-distribution-api-version": "registry/2.0"},
        ),
        (MethodNotAllowed("PUT", ["GET", "HEAD"]), 405, {"allow": "GET, HEAD"}),
        (RangeNotSatisfiable("bytes=10-", 10), 416, {"content-range": "bytes */10"}),
        (RangeInvalid(3, session="1", offset=7), 416, {"location": PATH, "range": "0-6"}),
        (TooManyRequests("later"), 429, {"retry-after": "5"}),
        (CommitUnknown(), 503, {"retry-after": "5"}),
        (EndpointUnknown("/v3/"), 404, {}),
        (TooManyTags(11, 10), 414, {}),
        (BlobUnknown(Digest.of(b"")), 404, {}),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, OCIError) else "",
)
def test_a_refusal_has_its_status_and_headers(
    error: OCIError, status: int, headers: dict[str, str]
) -> None:
    response = refuse(PATH, error)

    assert response.status_code == status
    own = {*headers, "content-type", "content-length", "cache-control"}
    assert dict(response.headers) | headers == dict(response.headers)
    assert set(response.headers) == own
    [entry] = json.loads(bytes(response.body))["errors"]
    assert (entry["code"], entry["message"]) == (error.code.name, str(error))


def test_a_failure_names_the_request_and_nothing_of_its_cause() -> None:
    response = fail("request-1")

    assert response.status_code == 500
    [entry] = json.loads(bytes(response.body))["errors"]
    assert entry == {
        "code": "UNKNOWN",
        "message": "the registry failed; its log has more under request id request-1",
    }


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (EndpointUnknown("/v3/"), "no endpoint at '/v3/'"),
        (
            MethodNotAllowed("PUT", ["GET", "HEAD"]),
            "found method 'PUT', expected one of GET, HEAD",
        ),
        (TooManyTags(11, 10), "11 tags, expected at most 10"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, OCIError) else "",
)
def test_a_refusal_says_what_was_found_and_expected(error: OCIError, message: str) -> None:
    [entry] = json.loads(bytes(refuse(PATH, error).body))["errors"]

    assert entry["message"] == message
