"""Limits: one object for all connections, which nothing changes."""

import pytest

from registry.server import Limits


def test_limits_cannot_be_changed_under_a_server() -> None:
    with pytest.raises(AttributeError):
        Limits().header_seconds = 1  # type: ignore[misc]
