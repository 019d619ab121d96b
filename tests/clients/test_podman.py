"""podman and buildah: push, pull, run what was pulled."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.clients.conftest import Run
from tests.clients.layouts import write_layout
from tests.support.images import a_busybox_image, an_index
from tests.support.processes import RegistryServer

pytestmark = pytest.mark.needs_root

INSECURE = "--tls-verify=false"


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[list[str]]:
    """Storage of the test's own; vfs, which needs no mount of its own."""
    # podman wants a runroot of at most 50 characters; pytest's directories can be longer.
    with TemporaryDirectory(prefix="slipway-", dir="/run") as runroot:
        yield [
            *("--root", str(tmp_path / "storage"), "--runroot", runroot),
            *("--storage-driver", "vfs"),
        ]


def test_podman_pushes_and_pulls(
    shared_registry: RegistryServer, tmp_path: Path, run: Run, storage: list[str]
) -> None:
    image = a_busybox_image()
    layout = write_layout(tmp_path / "layout", image)
    there = f"{shared_registry.host}/podman/busybox:v1"
    podman = ["podman", *storage]

    pulled = run(*podman, "pull", f"oci:{layout}:latest").strip()
    run(*podman, "push", INSECURE, pulled, f"docker://{there}")
    run(*podman, "rmi", "--all", "--force")
    again = run(*podman, "pull", INSECURE, there).strip()

    assert again == pulled == image.image_config.image_id.encoded


def test_podman_chooses_its_platform_from_an_index(
    shared_registry: RegistryServer, tmp_path: Path, run: Run, storage: list[str]
) -> None:
    index = an_index()
    layout = write_layout(tmp_path / "layout", index)
    there = f"{shared_registry.host}/podman/index:v1"
    run("skopeo", "copy", "--all", "--dest-tls-verify=false", f"oci:{layout}:latest",
        f"docker://{there}")  # fmt: skip

    pulled = [
        run("podman", *storage, "pull", INSECURE, "--arch", arch, there).strip()
        for arch in ("amd64", "arm64")
    ]

    assert pulled == [image.image_config.image_id.encoded for image in index.images]


@pytest.mark.parametrize("kind", ["oci", "docker"])
def test_buildah_builds_from_scratch_pushes_and_pulls(
    shared_registry: RegistryServer, tmp_path: Path, run: Run, storage: list[str], kind: str
) -> None:
    (tmp_path / "hello").write_text("hello from scratch")
    there = f"{shared_registry.host}/buildah/{kind}:v1"
    buildah = ["buildah", *storage]

    container = run(*buildah, "from", "scratch").strip()
    run(*buildah, "copy", container, tmp_path / "hello", "/hello")
    run(*buildah, "config", "--entrypoint", '["/hello"]', container)
    image = run(*buildah, "commit", "--format", kind, container).strip()
    run(*buildah, "push", INSECURE, image, f"docker://{there}")
    run(*buildah, "rmi", "--all", "--force")
    again = run(*buildah, "pull", INSECURE, there).strip()

    assert again == image


def test_buildah_pushes_a_manifest_list(
    shared_registry: RegistryServer, tmp_path: Path, run: Run, storage: list[str]
) -> None:
    there = f"{shared_registry.host}/buildah/list"
    layout = write_layout(tmp_path / "layout", a_busybox_image())
    run("skopeo", "copy", "--dest-tls-verify=false", f"oci:{layout}:latest",
        f"docker://{there}:amd64")  # fmt: skip
    buildah = ["buildah", *storage]

    run(*buildah, "manifest", "create", INSECURE, "list", f"docker://{there}:amd64")
    run(*buildah, "manifest", "push", INSECURE, "--all", "list", f"docker://{there}:all")

    raw = run("skopeo", "inspect", INSECURE, "--raw", f"docker://{there}:all")
    assert '"manifests"' in raw
