"""Endpoint: the statuses that follow from a row."""

import pytest

from registry.api.management.endpoint import Endpoint
from registry.api.management.openapi import show_document


def test_a_write_with_a_body_may_be_refused_in_more_ways_than_a_read() -> None:
    read = Endpoint("GET", "/x", "nothing", show_document, "", {200: ""})
    write = Endpoint("PUT", "/x", "owner", show_document, "", {201: ""}, (409,), body="GroupBody")

    assert read.statuses == (200, 400, 500, 503)
    assert write.statuses == (201, 400, 401, 403, 409, 413, 415, 429, 500, 503, 507)


def test_an_unknown_kind_of_caller_is_refused() -> None:
    with pytest.raises(ValueError, match="GET /x: 'all' is no kind of caller"):
        Endpoint("GET", "/x", "all", show_document, "", {200: ""})  # type: ignore[arg-type]
