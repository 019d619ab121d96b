"""Errors of the runner: a status, and a kind for programs."""

from http import HTTPStatus

import pytest

from runner.errors import (
    BadRequest,
    Conflict,
    Kind,
    NoSuchContainer,
    NoSuchExec,
    NoSuchImage,
    NoSuchVolume,
    NotFound,
    NotModified,
    RunnerError,
    Unauthorized,
)


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (RunnerError("x"), HTTPStatus.INTERNAL_SERVER_ERROR, None),
        (BadRequest("x"), HTTPStatus.BAD_REQUEST, None),
        (Unauthorized("x"), HTTPStatus.UNAUTHORIZED, Kind.UNAUTHORIZED),
        (NotFound("x"), HTTPStatus.NOT_FOUND, None),
        (NoSuchContainer("x"), HTTPStatus.NOT_FOUND, Kind.CONTAINER_ABSENT),
        (NoSuchImage("x"), HTTPStatus.NOT_FOUND, Kind.IMAGE_ABSENT),
        (NoSuchExec("x"), HTTPStatus.NOT_FOUND, None),
        (NoSuchVolume("x"), HTTPStatus.NOT_FOUND, Kind.VOLUME_ABSENT),
        (Conflict("x", kind=Kind.NAME_IN_USE), HTTPStatus.CONFLICT, Kind.NAME_IN_USE),
        (NotModified(), HTTPStatus.NOT_MODIFIED, None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, RunnerError) else "",
)
def test_an_error_has_its_status_and_its_kind(
    error: RunnerError, status: HTTPStatus, kind: Kind | None
) -> None:
    assert (error.status, error.kind) == (status, kind)


def test_a_kind_of_one_error_is_not_that_of_the_next() -> None:
    assert Conflict("x", kind=Kind.NAME_IN_USE).kind == Kind.NAME_IN_USE
    assert Conflict("x").kind is None
