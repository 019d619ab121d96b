"""Proxies in front of the registry, with the lines of docs/proxies.md; see test_credentials too."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from oci.http import parse_challenge
from tests.clients.signing_in import Skopeo
from tests.support.proxies import caddy, nginx
from tests.support.registry.team import Team, team

PROXIES = {"nginx": nginx, "caddy": caddy}


@pytest.fixture(params=PROXIES)
def proxied(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Team]:
    with team(tmp_path, behind=PROXIES[request.param]) as made:
        yield made


@pytest.fixture
def client(proxied: Team) -> Iterator[httpx2.Client]:
    context = ssl.create_default_context(cafile=str(proxied.certificate))
    with httpx2.Client(base_url=f"https://{proxied.host}", verify=context) as opened:
        yield opened


def test_a_robot_signs_in_pushes_and_pulls(proxied: Team, tmp_path: Path) -> None:
    skopeo = Skopeo(proxied, tmp_path / "home", {})
    signed_in = skopeo.login(proxied.robot("push", "team/*"))

    pushed = skopeo.push(skopeo.images[0], "team/app:v1")
    pulled = skopeo.pull("team/app:v1")

    assert [each.output for each in (signed_in, pushed, pulled) if not each.has_succeeded] == []
    assert skopeo.pulled_id("team/app:v1") == skopeo.images[0]


def test_clients_get_their_tokens_at_the_external_url_by_whatever_name_they_come(
    proxied: Team, client: httpx2.Client
) -> None:
    # Within the proxy's own site: Caddy answers no other name.
    answer = client.get("/v2/", headers={"Host": proxied.host.upper()})

    (challenge,) = parse_challenge(answer.headers["www-authenticate"])
    assert answer.status_code == 401
    assert challenge.parameters["realm"] == f"https://{proxied.host}/token"


def test_an_address_that_a_client_makes_up_is_not_recorded(
    proxied: Team, client: httpx2.Client
) -> None:
    robot = proxied.robot("pull", "team/*")

    answer = client.get(
        "/token", auth=(robot.name, robot.secret), headers={"X-Forwarded-For": "192.0.2.7"}
    )
    proxied.registry.stop()  # the uses are written at the end
    (used,) = proxied.administer("token list", name=robot.name)

    assert answer.status_code == 200
    assert used["last_used_from"] == "127.0.0.1"
