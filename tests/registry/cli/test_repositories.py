"""registry repo and tag: deletion, and the history of a tag."""

from pathlib import Path

import pytest

from tests.registry.cli.conftest import SETTINGS, push, run
from tests.support.processes import make_registry_server

pytestmark = pytest.mark.takes(10)


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
