"""Real clients with credentials, straight to the registry and through nginx with TLS.

Each test is the same for every client: skopeo, podman, buildah, docker and our own runner.
"""

import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.clients.signing_in import Buildah, Client, Docker, Podman, Runner, Skopeo, Storage
from tests.support.processes import docker_daemon
from tests.support.proxies import nginx
from tests.support.registry.team import Account, Team, team
from tests.support.runner.runners import runner

pytestmark = [pytest.mark.needs_root, pytest.mark.takes(40)]

# podman, buildah and skopeo do not show the registry's text.
WRONG = ("unknown user, or wrong password or token", "invalid username/password")
NOT_SIGNED_IN = ("unauthorized", "invalid username/password")
OTHER_PASSWORD = "quite another password"  # noqa: S105  (of a registry that ends with the test)


@pytest.fixture(scope="module", params=["direct", "nginx"])
def closed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Team]:
    """The registry, as clients reach it."""
    place = tmp_path_factory.mktemp("team")
    with team(place, behind=nginx if request.param == "nginx" else None) as made:
        yield made


@pytest.fixture(scope="module")
def dockerd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    with docker_daemon(tmp_path_factory.mktemp("docker")) as environment:
        yield environment


@pytest.fixture(scope="module")
def runner_socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with runner(tmp_path_factory.mktemp("runner") / "root") as made:
        yield made.socket


@pytest.fixture(params=["skopeo", "podman", "buildah", "docker", "runner"])
def client(request: pytest.FixtureRequest, closed: Team, tmp_path: Path) -> Iterator[Client]:
    """A client that has not signed in."""
    home = tmp_path / "home"
    match request.param:
        case "skopeo":
            yield Skopeo(closed, home, {})
        case "docker":
            environment = request.getfixturevalue("dockerd")
            yield Docker(closed, home, {"DOCKER_HOST": environment["DOCKER_HOST"]})
        case "runner":
            yield Runner(closed, home, {}, request.getfixturevalue("runner_socket"))
        case name:
            kind = Podman if name == "podman" else Buildah
            # The names of images are made of its path, so that it has none of tempfile's names.
            run_dir = Path("/run") / f"slipway-{secrets.token_hex(4)}"
            run_dir.mkdir(mode=0o700)
            try:
                yield kind(closed, home, {}, Storage(tmp_path / "storage", run_dir))
            finally:
                shutil.rmtree(run_dir, ignore_errors=True)


@pytest.fixture
def repository(client: Client) -> str:
    """A repository of this test's own, in team/."""
    return f"team/{client.program}-{next(client.team.numbers)}"


def sign_in(client: Client, account: Account) -> None:
    outcome = client.login(account)
    assert outcome.has_succeeded, outcome.output


def test_a_robot_signs_in_pushes_and_pulls(client: Client, repository: str) -> None:
    sign_in(client, client.team.robot("push", "team/*"))

    pushed = client.push(client.images[0], f"{repository}:latest")
    pulled = client.pull(f"{repository}:latest")

    assert pushed.has_succeeded, pushed.output
    assert pulled.has_succeeded, pulled.output
    assert client.pulled_id(f"{repository}:latest") == client.images[0]


def test_a_user_signs_in_with_a_password(client: Client, repository: str) -> None:
    sign_in(client, client.team.owner())

    pushed = client.push(client.images[0], f"{repository}:latest")

    assert pushed.has_succeeded, pushed.output


@pytest.mark.parametrize("name", ["ada", "nobody"])
def test_a_wrong_password_is_refused_at_the_login(client: Client, name: str) -> None:
    outcome = client.login(Account(name, "not the password of anyone"))

    assert not outcome.has_succeeded
    assert any(text in outcome.output for text in WRONG)


def test_one_configuration_pulls_without_and_pushes_with_credentials(
    client: Client, repository: str
) -> None:
    client.team.administer("grant add", who="anonymous", role="pull", pattern=repository)
    robot = client.team.robot("push", "team/*")
    sign_in(client, robot)
    first = client.push(client.images[0], f"{repository}:latest")
    client.logout()

    pulled = client.pull(f"{repository}:latest")
    refused = client.push(client.images[0], f"{repository}:new")
    sign_in(client, robot)
    pushed = client.push(client.images[0], f"{repository}:new")

    assert first.has_succeeded, first.output
    assert pulled.has_succeeded, pulled.output
    assert not refused.has_succeeded
    assert "unauthorized" in refused.output.lower()
    assert pushed.has_succeeded, pushed.output


def test_a_stranger_may_neither_push_nor_pull(client: Client, repository: str) -> None:
    pushed = client.push(client.images[0], f"{repository}:latest")
    pulled = client.pull(f"{repository}:latest")

    for outcome in (pushed, pulled):
        assert not outcome.has_succeeded
        assert "unauthorized" in outcome.output.lower()


def test_a_robot_that_may_only_pull_reads_the_role_that_it_lacks(
    client: Client, repository: str
) -> None:
    robot = client.team.robot("pull", "team/*")
    sign_in(client, robot)

    outcome = client.push(client.images[0], f"{repository}:latest")

    assert not outcome.has_succeeded
    assert f"{robot.name} holds pull, expected create on {repository}" in outcome.output


def test_a_locked_tag_is_not_moved_and_the_lock_is_named(client: Client, repository: str) -> None:
    lock = f"lock-{next(client.team.numbers)}"
    client.team.administer("lock add", name=lock, repository=repository, tags="v*")
    sign_in(client, client.team.robot("maintain", "team/*"))
    first = client.push(client.images[0], f"{repository}:v1")

    moved = client.push(client.images[1], f"{repository}:v1")
    again = client.push(client.images[0], f"{repository}:v1")

    assert first.has_succeeded, first.output
    assert not moved.has_succeeded
    assert f"tag v1 exists and lock {lock} (v*) holds it" in moved.output
    assert again.has_succeeded, again.output


def test_a_robot_that_creates_moves_no_tag(client: Client, repository: str) -> None:
    sign_in(client, client.team.robot("create", "team/*"))
    first = client.push(client.images[0], f"{repository}:1.0")

    moved = client.push(client.images[1], f"{repository}:1.0")
    another = client.push(client.images[1], f"{repository}:1.1")

    assert first.has_succeeded, first.output
    assert not moved.has_succeeded
    assert "moving it needs role push, and you hold create" in moved.output
    assert another.has_succeeded, another.output


def test_a_token_that_is_revoked_pushes_no_more(client: Client, repository: str) -> None:
    robot = client.team.robot("push", "team/*")
    sign_in(client, robot)
    before = client.push(client.images[0], f"{repository}:one")

    client.team.administer("token revoke", id=robot.id)
    after = client.push(client.images[1], f"{repository}:two")

    assert before.has_succeeded, before.output
    assert not after.has_succeeded
    assert any(text in after.output.lower() for text in NOT_SIGNED_IN)


def test_a_password_that_was_changed_pushes_no_more(client: Client, repository: str) -> None:
    user = client.team.user()
    client.team.administer("grant add", who=user.name, role="push", pattern=repository)
    sign_in(client, user)
    before = client.push(client.images[0], f"{repository}:one")

    client.team.administer("user password", name=user.name, password=OTHER_PASSWORD)
    after = client.push(client.images[1], f"{repository}:two")

    assert before.has_succeeded, before.output
    assert not after.has_succeeded
    assert any(text in after.output.lower() for text in NOT_SIGNED_IN)
