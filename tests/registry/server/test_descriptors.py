"""A server admits no more connections than it has descriptors for."""

import resource

import pytest

from registry.server.descriptors import fit_to_fd_limit
from tests.support.registry.settings import default_limits


@pytest.fixture
def raised(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "setrlimit", lambda _, pair: found.append(pair))
    return found


def allow(monkeypatch: pytest.MonkeyPatch, soft: int, hard: int) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))


def test_the_soft_limit_is_raised_as_needed(
    monkeypatch: pytest.MonkeyPatch, raised: list[tuple[int, int]]
) -> None:
    allow(monkeypatch, 1024, 500_000)

    assert fit_to_fd_limit(default_limits(connections=1000)).connections == 1000
    assert raised == [(3064, 500_000)]


def test_a_low_hard_limit_means_fewer_connections(
    monkeypatch: pytest.MonkeyPatch, raised: list[tuple[int, int]]
) -> None:
    allow(monkeypatch, 1024, 1024)

    assert fit_to_fd_limit(default_limits(connections=10_000)).connections == 320


def test_a_process_without_a_limit_may_have_all(
    monkeypatch: pytest.MonkeyPatch, raised: list[tuple[int, int]]
) -> None:
    allow(monkeypatch, 1024, resource.RLIM_INFINITY)

    assert fit_to_fd_limit(default_limits(connections=10_000)).connections == 10_000
    assert raised == [(30_064, resource.RLIM_INFINITY)]
