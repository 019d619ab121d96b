"""registry grant, lock: the same live and stopped."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from registry.cli.entry import main
from tests.registry.cli.conftest import push
from tests.support.processes import NO_FLOOR, make_registry_server, registry_server

pytestmark = pytest.mark.takes(15)

DONE, REFUSED, USAGE, ABSENT, CONFLICT = range(5)


def run(root: Path, *arguments: str, code: int = DONE) -> str:
    result = CliRunner().invoke(main, [*arguments, "--root", str(root)], env=NO_FLOOR)
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture(params=["live", "stopped"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """The root of a registry with a user and a tag; in the one case it runs."""
    with registry_server(tmp_path / "root") as open_to_all:
        push(open_to_all, "v1")
    server = make_registry_server(tmp_path / "root", anonymous="none")
    run(server.root, "user", "add", "ada", "--no-password")
    if request.param == "stopped":
        yield server.root
        return
    server.start()
    try:
        yield server.root
    finally:
        server.stop()


def test_a_grant_is_given_listed_explained_and_taken(root: Path) -> None:
    assert run(root, "grant", "add", "ada", "push", "team/*") == "ada holds push on team/*\n"

    lines = run(root, "grant", "list").splitlines()
    assert lines[0].split() == ["ID", "WHO", "ROLE", "PATTERN", "GIVEN"]
    assert lines[2].split()[1:4] == ["ada", "push", "team/*"]
    [listed] = map(json.loads, run(root, "grant", "list", "ada", "--format", "json").splitlines())
    said = run(root, "grant", "explain", "ada", "push", "team/app:v1")
    assert said == f"yes  ada holds push on team/* (grant {listed['id']})\n"
    no = run(root, "grant", "explain", "ada", "maintain", "team/app", code=REFUSED)
    assert no.startswith("no   ada holds push on team/*")
    taken = run(root, "grant", "remove", "ada", "team/*")
    assert taken == "ada no longer holds push on team/*\n"
    found = json.loads(
        run(root, "grant", "explain", "ada", "push", "team/app", "--format", "json", code=REFUSED)
    )
    assert found["allowed"] is False
    assert found["steps"][-1]["text"] == "ada holds no role, expected push on team/app"


def test_a_lock_keeps_a_tag_and_the_repository(root: Path) -> None:
    run(root, "lock", "add", "releases", "--repository", "team/*", "--tags", "v*")

    assert run(root, "lock", "list").splitlines()[2].split()[:3] == ["releases", "team/*", "v*"]
    run(root, "grant", "add", "ada", "push", "*")
    no = run(root, "grant", "explain", "ada", "push", "team/app:v1", code=REFUSED)
    assert no.startswith("no   v1 exists and lock releases (v*) holds it")
    kept = run(root, "repo", "delete", "team/app", code=REFUSED)
    assert "tag v1 exists and lock releases (v*) holds it" in kept
    assert run(root, "lock", "remove", "releases") == "lock releases is removed\n"
    assert "team/app is deleted" in run(root, "repo", "delete", "team/app")


def test_the_exit_status_tells_the_kind_of_refusal(root: Path) -> None:
    for arguments, code, said in (
        (("grant", "add", "ada", "write", "a"), REFUSED, "role is 'write', expected one of pull"),
        (("grant", "add", "ada", "pull", "A"), REFUSED, "pattern is 'A', expected"),
        (("grant", "add", "ada", "pull"), USAGE, "PATTERN"),
        (("grant", "add", "bob", "pull", "a"), ABSENT, "there is no user, robot or group bob"),
        (("grant", "remove", "ada", "a"), ABSENT, "ada has no grant on a"),
        (("grant", "explain", "ada", "sing", "a"), REFUSED, "action is 'sing', expected one of"),
        (("lock", "add", "a", "--repository", "*"), USAGE, "--tags"),
        (("lock", "add", "a", "--repository", "*", "--tags", "["), REFUSED, "glob is '['"),
        (("lock", "remove", "a"), ABSENT, "there is no lock a"),
    ):
        assert said in run(root, *arguments, code=code)
