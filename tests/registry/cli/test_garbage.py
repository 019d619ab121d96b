"""registry gc, undelete, repo and tag: the same live and stopped."""

from pathlib import Path

import pytest

from tests.registry.cli.conftest import SETTINGS, push, run
from tests.support import http
from tests.support.processes import make_registry_server

pytestmark = pytest.mark.takes(10)


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
