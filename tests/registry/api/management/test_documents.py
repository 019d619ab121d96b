"""Documents: times, and the headers of an answer."""

import json
from http import HTTPStatus

from registry.api.management.documents import answer, nothing, time, written


def test_times_are_rfc_3339_in_utc() -> None:
    assert time(None) is None
    assert time(0) == "1970-01-01T00:00:00.000Z"
    assert time(1_796_076_518_007) == "2026-11-30T22:08:38.007Z"


def test_an_answer_has_its_revision_and_its_place() -> None:
    found = answer({"a": 1}, HTTPStatus.CREATED, revision="3", location="/x")

    assert json.loads(bytes(found.body)) == {"a": 1}
    assert found.status_code == 201
    assert (found.headers["etag"], found.headers["location"]) == ('"3"', "/x")
    assert found.headers["cache-control"] == nothing().headers["cache-control"]
    assert written(is_new=True) == 201
    assert written(is_new=False) == 200
