"""skopeo: copies images of every kind in and out."""

import json
from pathlib import Path

import pytest

from oci.digest import Digest
from oci.mediatype import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from tests.clients.conftest import Run
from tests.clients.layouts import blobs_of, write_layout
from tests.support import http
from tests.support.images import a_busybox_image, an_image, an_index
from tests.support.processes import RegistryServer, registry_server

IN = "--dest-tls-verify=false"
OUT = "--src-tls-verify=false"


def test_an_oci_image_goes_in_and_comes_back_byte_for_byte(
    shared_registry: RegistryServer, tmp_path: Path, run: Run
) -> None:
    image = a_busybox_image()
    here = write_layout(tmp_path / "here", image)
    there = f"docker://{shared_registry.host}/skopeo/oci:latest"

    # Without it skopeo may take another compression of the layer that it pushed here before.
    exactly = "--preserve-digests"
    run("skopeo", "copy", exactly, IN, f"oci:{here}:latest", there)
    run("skopeo", "copy", exactly, OUT, there, f"oci:{tmp_path / 'back'}:latest")

    assert blobs_of(tmp_path / "back") == blobs_of(here)
    answer = http.get(f"{shared_registry.url}/v2/skopeo/oci/manifests/latest")
    assert answer.content == image.manifest
    assert answer.headers["content-type"] == OCI_MANIFEST


def test_a_docker_schema_2_image_is_stored_as_it_is(
    shared_registry: RegistryServer, tmp_path: Path, run: Run
) -> None:
    here = write_layout(tmp_path / "here", an_image(layers=3))
    there = f"docker://{shared_registry.host}/skopeo/docker:v2s2"

    run("skopeo", "copy", IN, "--format", "v2s2", f"oci:{here}:latest", there)
    run("skopeo", "copy", OUT, there, f"dir:{tmp_path / 'back'}")

    answer = http.get(f"{shared_registry.url}/v2/skopeo/docker/manifests/v2s2")
    assert answer.headers["content-type"] == DOCKER_MANIFEST
    assert answer.content == (tmp_path / "back" / "manifest.json").read_bytes()


@pytest.mark.parametrize(("kind", "expected"), [("oci", OCI_INDEX), ("v2s2", DOCKER_LIST)])
def test_an_index_goes_in_and_comes_back_with_all_its_platforms(
    shared_registry: RegistryServer, tmp_path: Path, run: Run, kind: str, expected: str
) -> None:
    here = write_layout(tmp_path / "here", an_index())
    there = f"docker://{shared_registry.host}/skopeo/index:{kind}"

    run("skopeo", "copy", IN, "--all", "--format", kind, f"oci:{here}:latest", there)
    raw = run("skopeo", "inspect", "--tls-verify=false", "--raw", there)
    run("skopeo", "copy", OUT, "--all", there, f"dir:{tmp_path / 'back'}")

    document = json.loads(raw)
    assert document["mediaType"] == expected
    platforms = {entry["platform"]["architecture"] for entry in document["manifests"]}
    assert platforms == {"amd64", "arm64"}
    for entry in document["manifests"]:
        manifest = tmp_path / "back" / f"{entry['digest'].partition(':')[2]}.manifest.json"
        assert str(Digest.of(manifest.read_bytes())) == entry["digest"]


def test_a_second_repository_gets_its_blobs_by_mount(
    tmp_path: Path, run: Run, registry: RegistryServer
) -> None:
    here = write_layout(tmp_path / "here", a_busybox_image())
    first = f"docker://{registry.host}/skopeo/first:latest"
    second = f"docker://{registry.host}/skopeo/second:latest"
    run("skopeo", "copy", IN, f"oci:{here}:latest", first)

    run("skopeo", "copy", OUT, IN, first, second)

    lines = [json.loads(line) for line in registry.server.log.read_text().splitlines()]
    second_lines = [line for line in lines if line.get("repository") == "skopeo/second"]
    answers = [(line["method"], line["status"]) for line in second_lines]
    # The layer is mounted; a config is always sent.
    assert answers.count(("POST", 201)) == 1
    assert answers.count(("PATCH", 202)) == 1


def test_tags_are_listed_and_deleted(
    shared_registry: RegistryServer, tmp_path: Path, run: Run
) -> None:
    here = write_layout(tmp_path / "here", an_image())
    name = f"docker://{shared_registry.host}/skopeo/tags"
    for tag in ("b", "a"):
        run("skopeo", "copy", IN, f"oci:{here}:latest", f"{name}:{tag}")

    listed = json.loads(run("skopeo", "list-tags", "--tls-verify=false", name))
    run("skopeo", "delete", "--tls-verify=false", f"{name}:a")
    after = json.loads(run("skopeo", "list-tags", "--tls-verify=false", name))

    assert listed["Tags"] == ["a", "b"]
    # skopeo deletes the manifest behind the tag, and with it every tag.
    assert after["Tags"] == []


def test_what_it_may_not_do_it_is_told_in_words(tmp_path: Path, run: Run) -> None:
    here = write_layout(tmp_path / "here", an_image())

    with registry_server(tmp_path / "root", anonymous="pull") as registry:
        there = f"docker://{registry.host}/skopeo/denied:latest"
        output = run("skopeo", "copy", IN, f"oci:{here}:latest", there, check=False)

    assert "unauthorized" in output.lower() or "authentication required" in output


def test_a_sha512_digest_is_followed(
    shared_registry: RegistryServer, tmp_path: Path, run: Run
) -> None:
    image = an_image(seed="sha512")
    base = f"{shared_registry.url}/v2/skopeo/sha512"
    for content in image.blobs.values():
        for algorithm in ("sha256", "sha512"):
            digest = Digest.of(content, algorithm)
            query = {"digest": str(digest)}
            answer = http.post(f"{base}/blobs/uploads/", params=query, content=content)
            assert answer.status_code == 201
    digest = Digest.of(image.manifest, "sha512")
    pushed = http.put(
        f"{base}/manifests/{digest}",
        content=image.manifest,
        headers={"Content-Type": OCI_MANIFEST},
    )
    assert pushed.status_code == 201

    there = f"docker://{shared_registry.host}/skopeo/sha512@{digest}"
    raw = run("skopeo", "inspect", "--tls-verify=false", "--raw", there)

    assert raw.encode() == image.manifest
