"""Endpoints: each method of a path once, and no access that the policy does not know."""

import pytest

from registry.api.health import check_support
from registry.api.routes import ENDPOINTS, Endpoint


def test_each_method_of_a_path_is_there_once() -> None:
    keys = [(endpoint.method, endpoint.path) for endpoint in ENDPOINTS]

    assert len(keys) == len(set(keys)) > 15


def test_only_health_and_tokens_need_no_access() -> None:
    opened = {endpoint.path for endpoint in ENDPOINTS if endpoint.access == "open"}

    assert opened == {"/healthz", "/readyz", "/token"}


def test_an_unknown_access_is_refused() -> None:
    with pytest.raises(ValueError, match="GET /v2/: 'read' is not an access"):
        Endpoint("end-1", "GET", "/v2/", "read", check_support)  # type: ignore[arg-type]
