"""Limits: one object for all connections, which nothing changes."""

import pytest

from tests.support.registry.settings import default_limits


def test_limits_cannot_be_changed_under_a_server() -> None:
    with pytest.raises(AttributeError):
        default_limits().header_seconds = 1  # type: ignore[misc]
