"""Caddy in front of the registry, with the lines of docs/proxies.md."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.signing_in import Skopeo
from tests.support.proxies import caddy
from tests.support.registry.team import team


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Skopeo]:
    with team(tmp_path, behind=caddy) as made:
        yield Skopeo(made, tmp_path / "home", {})


def test_a_robot_signs_in_pushes_and_pulls_through_caddy(client: Skopeo) -> None:
    signed_in = client.login(client.team.robot("push", "team/*"))

    pushed = client.push(client.images[0], "team/app:v1")
    pulled = client.pull("team/app:v1")

    assert [each.output for each in (signed_in, pushed, pulled) if not each.has_succeeded] == []
    assert client.pulled_id("team/app:v1") == client.images[0]
