"""Errors as responses: status, message, and the kind for programs."""

import errno
import json
from http import HTTPStatus

import h11
import pytest

from oci.digest import Digest
from oci.errors import OCIError
from runner.daemon.http.errors import error_response, malformed_response
from runner.daemon.http.messages import Response
from runner.errors import BadRequest, Conflict, Kind, NoSuchContainer, NotModified


def document(response: Response) -> object:
    assert isinstance(response.body, bytes)
    return json.loads(response.body)


@pytest.mark.parametrize(
    ("error", "status", "expected"),
    [
        (BadRequest("no"), 400, {"message": "no"}),
        (
            NoSuchContainer("web"),
            404,
            {"message": "No such container: web", "kind": "container-absent"},
        ),
        (
            Conflict("in use", kind=Kind.NAME_IN_USE),
            409,
            {"message": "in use", "kind": "name-in-use"},
        ),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            500,
            {"message": "no space left on device, at the runner's root", "kind": "no-space"},
        ),
        (ValueError("odd"), 500, {"message": "internal error: ValueError: odd"}),
    ],
)
def test_an_error_has_its_status_and_message(
    error: Exception, status: int, expected: dict[str, str]
) -> None:
    response = error_response(error)

    assert response.status == status
    assert document(response) == expected


def test_a_malformed_digest_is_the_clients_fault() -> None:
    with pytest.raises(OCIError) as caught:
        Digest.parse("sha256:12")

    response = error_response(caught.value)

    assert response.status == HTTPStatus.BAD_REQUEST
    assert document(response) == {"message": str(caught.value)}


def test_not_modified_has_no_body() -> None:
    response = error_response(NotModified("already running"))

    assert (response.status, response.body) == (HTTPStatus.NOT_MODIFIED, b"")


def test_bytes_that_are_no_request_end_the_connection() -> None:
    response = malformed_response(h11.RemoteProtocolError("no colon", error_status_hint=431))

    assert response.status == 431
    assert response.headers["Connection"] == "close"
    assert document(response) == {"message": "malformed request: no colon"}


def test_only_an_unexpected_error_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    error_response(BadRequest("no"))
    assert caplog.records == []

    error_response(KeyError("gone"))

    (record,) = caplog.records
    assert record.exc_info
    assert isinstance(record.exc_info[1], KeyError)
