"""registry gc, undelete, repo and tag: the same live and stopped."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from oci.digest import Digest
from registry.cli import main
from tests.support import http
from tests.support.images import an_image
from tests.support.processes import RegistryServer, make_registry_server

pytestmark = pytest.mark.takes(10)

SETTINGS = {
    "REGISTRY_GC__LEASE_SECONDS": "0",
    "REGISTRY_GC__EPOCH_SECONDS": "0.05",
    "REGISTRY_GC__INTERVAL_SECONDS": "3600",
}


def run(server: RegistryServer, *arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(main, [*arguments, "--root", str(server.root)], env=SETTINGS)
    assert result.exit_code == code, result.output
    return result.output


def push(server: RegistryServer, tag: str) -> Digest:
    image = an_image(seed=tag)
    for digest, content in image.blobs.items():
        http.post(
            f"{server.url}/v2/team/app/blobs/uploads/?digest={digest}", content=content
        ).raise_for_status()
    url = f"{server.url}/v2/team/app/manifests/{tag}"
    headers = {"Content-Type": image.media_type}
    http.put(url, content=image.manifest, headers=headers).raise_for_status()
    return image.digest


@pytest.mark.parametrize("live", [True, False])
def test_gc_undelete_repo_and_tag_work(tmp_path: Path, live: bool) -> None:
    server = make_registry_server(tmp_path / "root", environment=SETTINGS)
    server.start()
    try:
        digest = push(server, "one")
        http.delete(f"{server.url}/v2/team/app/manifests/{digest}").raise_for_status()
        if not live:
            server.stop()

        assert "would move to the trash" in run(server, "gc", "--dry-run")
        assert "bytes are free again" in run(server, "gc")
        assert f"manifest {digest} is back" in run(server, "undelete", str(digest))
        assert "team/app:one" in run(server, "repo", "size", "team/app:one")
        history = run(server, "tag", "history", "team/app:one").splitlines()
        assert [line.rpartition(" ")[2] for line in history] == [
            str(digest),
            "(deleted)",
            str(digest),
        ]
        assert "is deleted" in run(server, "repo", "delete", "team/app")
        assert run(server, "repo", "list") == ""
        assert "is back" in run(server, "repo", "undelete", "team/app")
        assert "Error: " in run(server, "undelete", "nonsense", code=1)
        assert "Error: " in run(server, "repo", "delete", "no/such", code=1)
    finally:
        server.stop()


def test_the_history_of_a_tag_tells_that_its_repository_was_deleted(tmp_path: Path) -> None:
    server = make_registry_server(tmp_path / "root", environment=SETTINGS)
    server.start()
    try:
        first = push(server, "one")
        run(server, "repo", "delete", "team/app")
        deleted = run(server, "tag", "history", "team/app:one").splitlines()
        second = push(server, "one")
        again = run(server, "tag", "history", "team/app:one").splitlines()
        run(server, "repo", "delete", "team/app")
        run(server, "repo", "undelete", "team/app")
        undeleted = run(server, "tag", "history", "team/app:one").splitlines()
    finally:
        server.stop()

    assert [line.rpartition("  ")[2] for line in deleted] == [
        f"(nothing) -> {first}",
        "team/app was deleted with all its tags",
    ]
    assert again[:2] == deleted
    assert [line.rpartition("  ")[2] for line in again[2:]] == [f"(nothing) -> {second}"]
    assert undeleted == again


@pytest.mark.parametrize(("undelete", "said"), [("0", "for good"), ("7200", "back, for 2 h")])
def test_a_deleted_repository_says_for_how_long_it_can_come_back(
    tmp_path: Path, undelete: str, said: str
) -> None:
    environment = {**SETTINGS, "REGISTRY_GC__UNDELETE_SECONDS": undelete}
    server = make_registry_server(tmp_path / "root", environment=environment)
    server.start()
    try:
        push(server, "one")

        assert run(server, "repo", "delete", "team/app").endswith(f"{said}\n")
    finally:
        server.stop()


def test_gc_that_frees_nothing_prints_the_retention_times(tmp_path: Path) -> None:
    environment = {"REGISTRY_GC__LEASE_SECONDS": "0", "REGISTRY_GC__UNDELETE_SECONDS": "7200"}
    server = make_registry_server(tmp_path / "root", environment=environment)
    server.start()
    try:
        digest = push(server, "one")
        http.delete(f"{server.url}/v2/team/app/manifests/{digest}").raise_for_status()

        said = run(server, "gc").splitlines()
    finally:
        server.stop()

    assert said[-2:] == [
        "0 bytes are free again",
        "Pushed content is kept for up to 2 h of the server's running; deleted or collected "
        "content, for 3 h more, to be undeleted (gc.* in the settings).",
    ]
