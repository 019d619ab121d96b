"""docker with its dockerd: push, pull, by tag and by digest."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from oci.mediatype import DOCKER_MANIFEST
from tests.clients.conftest import Run
from tests.clients.layouts import write_layout
from tests.support import http
from tests.support.images import a_busybox_image, an_index
from tests.support.processes import RegistryServer, docker_daemon, registry_server

pytestmark = pytest.mark.needs_root


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    with docker_daemon(tmp_path_factory.mktemp("docker")) as environment:
        yield environment


@pytest.fixture
def archive(tmp_path: Path, run: Run) -> Path:
    """busybox as ``docker load`` takes it."""
    layout = write_layout(tmp_path / "layout", a_busybox_image())
    archive = tmp_path / "image.tar"
    run("skopeo", "copy", f"oci:{layout}:latest", f"docker-archive:{archive}:test/busybox:v1")
    return archive


def test_docker_pushes_and_pulls(
    shared_registry: RegistryServer, daemon: Mapping[str, str], archive: Path, run: Run
) -> None:
    there = f"{shared_registry.host}/docker/busybox:v1"

    run("docker", "load", "--input", archive, environment=daemon)
    run("docker", "tag", "test/busybox:v1", there, environment=daemon)
    pushed = run("docker", "push", there, environment=daemon)
    before = run("docker", "image", "inspect", there, environment=daemon)
    run("docker", "rmi", "--force", there, "test/busybox:v1", environment=daemon)
    run("docker", "pull", there, environment=daemon)
    after = run("docker", "image", "inspect", there, environment=daemon)

    answer = http.get(f"{shared_registry.url}/v2/docker/busybox/manifests/v1")
    assert answer.headers["content-type"] == DOCKER_MANIFEST
    assert answer.headers["docker-content-digest"] in pushed
    assert json.loads(after)[0]["Id"] == json.loads(before)[0]["Id"]
    assert json.loads(after)[0]["RepoDigests"] == [
        f"{shared_registry.host}/docker/busybox@{answer.headers['docker-content-digest']}"
    ]


def test_docker_pushes_again_without_sending_anything(
    daemon: Mapping[str, str], archive: Path, run: Run, registry: RegistryServer
) -> None:
    run("docker", "load", "--input", archive, environment=daemon)
    for tag in ("one", "two"):
        there = f"{registry.host}/docker/again:{tag}"
        run("docker", "tag", "test/busybox:v1", there, environment=daemon)
        run("docker", "push", there, environment=daemon)

    lines = [json.loads(line) for line in registry.server.log.read_text().splitlines()]
    assert sum(line.get("method") == "PATCH" for line in lines) == 2
    assert sum(line.get("status", 0) >= 500 for line in lines) == 0


def test_docker_mounts_what_another_repository_has(
    daemon: Mapping[str, str], archive: Path, run: Run, registry: RegistryServer
) -> None:
    run("docker", "load", "--input", archive, environment=daemon)
    for name in ("first", "second"):
        there = f"{registry.host}/docker/{name}:v1"
        run("docker", "tag", "test/busybox:v1", there, environment=daemon)
        run("docker", "push", there, environment=daemon)

    lines = [json.loads(line) for line in registry.server.log.read_text().splitlines()]
    mounted = [line for line in lines if line.get("repository") == "docker/second"]
    assert any(line["method"] == "POST" and line["status"] == 201 for line in mounted)


def test_docker_pulls_its_platform_of_an_index_by_digest(
    shared_registry: RegistryServer,
    daemon: Mapping[str, str],
    tmp_path: Path,
    run: Run,
) -> None:
    index = an_index()
    layout = write_layout(tmp_path / "layout", index)
    name = f"{shared_registry.host}/docker/index"
    run("skopeo", "copy", "--all", "--dest-tls-verify=false", f"oci:{layout}:latest",
        f"docker://{name}:latest")  # fmt: skip

    run("docker", "pull", f"{name}@{index.digest}", environment=daemon)

    found = run("docker", "image", "inspect", f"{name}@{index.digest}", environment=daemon)
    assert json.loads(found)[0]["Id"] == str(index.images[0].image_config.image_id)


@pytest.mark.parametrize(("anonymous", "verb"), [("pull", "push"), ("none", "pull")])
def test_docker_shows_its_user_why_it_was_refused(
    tmp_path: Path,
    daemon: Mapping[str, str],
    archive: Path,
    run: Run,
    anonymous: str,
    verb: str,
) -> None:
    with registry_server(tmp_path / "root", anonymous=anonymous) as registry:
        there = f"{registry.host}/docker/refused:v1"
        run("docker", "load", "--input", archive, environment=daemon)
        run("docker", "tag", "test/busybox:v1", there, environment=daemon)
        output = run("docker", verb, there, environment=daemon, check=False)

    assert "nobody can sign in yet: the operator of this registry makes the first user" in output
