"""registry setup, user, group, robot, token: the same live and stopped."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from registry.auth.secrets import parse_token
from registry.cli.entry import main
from registry.storage.disk.root import DATABASE
from tests.support.processes import NO_FLOOR, RegistryServer, make_registry_server

pytestmark = pytest.mark.takes(20)

PASSWORD = "correct horse battery"  # noqa: S105
ANOTHER = "another horse battery"
DONE, REFUSED, USAGE, ABSENT, CONFLICT = range(5)


def run(root: Path, *arguments: str, code: int = DONE, given: str | None = None) -> str:
    result = CliRunner().invoke(main, [*arguments, "--root", str(root)], input=given, env=NO_FLOOR)
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture(params=["live", "stopped"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RegistryServer]:
    """A registry, set up before its first start; in the one case it runs."""
    server = make_registry_server(tmp_path / "root", anonymous="none")
    run(server.root, "setup", "--owner", "ada", "--password-file", "-", given=PASSWORD)
    if request.param == "live":
        server.start()
    try:
        yield server
    finally:
        if server.server.process is not None:
            server.stop()


def test_the_first_owner_is_made_before_the_first_start(tmp_path: Path) -> None:
    root = tmp_path / "new" / "root"
    root.parent.mkdir()

    said = run(root, "setup", "--owner", "ada", "--password-file", "-", given=f"{PASSWORD}\n")
    again = run(
        root, "setup", "--owner", "eve", "--password-file", "-", given=PASSWORD, code=CONFLICT
    )

    assert said.startswith("ada owns this registry")
    assert "this registry is set up" in again
    assert "owner" in run(root, "user", "list")


@pytest.mark.parametrize(("owner", "password"), [("Ada", PASSWORD), ("ada", "short")])
def test_a_refused_setup_makes_no_root(tmp_path: Path, owner: str, password: str) -> None:
    root = tmp_path / "root"

    said = run(
        root, "setup", "--owner", owner, "--password-file", "-", given=password, code=REFUSED
    )

    assert "expected" in said
    assert password not in said
    assert not root.exists()


def test_no_other_command_makes_a_root(tmp_path: Path) -> None:
    said = run(tmp_path / "root", "user", "list", code=REFUSED)

    assert "there is no registry here" in said
    assert not (tmp_path / "root").exists()


def test_a_user_is_added_listed_changed_and_removed(server: RegistryServer) -> None:
    root = server.root
    run(root, "user", "add", "bob", "--no-password", "--auditor")
    run(root, "user", "password", "bob", "--password-file", "-", given=ANOTHER)
    run(root, "user", "set", "bob", "--disable")

    lines = run(root, "user", "list").splitlines()
    found = [
        json.loads(line) for line in run(root, "user", "list", "--format", "json").splitlines()
    ]

    assert lines[0].split() == ["NAME", "RIGHTS", "PASSWORD", "STATE", "ADDED"]
    assert lines[2].split()[:4] == ["ada", "owner", "yes", "enabled"]
    assert lines[3].split()[:4] == ["bob", "auditor", "yes", "disabled"]
    assert [(each["name"], each["is_owner"]) for each in found] == [("ada", True), ("bob", False)]
    assert run(root, "user", "remove", "bob") == "user bob is removed\n"


def test_a_robot_and_a_token_show_their_secret_once(server: RegistryServer) -> None:
    root = server.root
    made = json.loads(run(root, "robot", "add", "ci", "--push", "team/*", "--pull", "team/*",
                          "--expires", "90d", "--format", "json"))  # fmt: skip
    said = run(root, "token", "add", "ci", "--label", "two", "--only", "pull", "team/*")

    secret = said.splitlines()[0]
    assert parse_token(made["secret"]) is not None
    assert parse_token(secret) is not None
    assert "This secret of ci is shown once" in said
    table = run(root, "token", "list", "ci")
    assert [line.split()[:3] for line in table.splitlines()[2:]] == [
        [each["id"], "ci", each["label"]]
        for each in map(json.loads, run(root, "token", "list", "--format", "json").splitlines())
    ]
    assert "pull team/*" in table
    assert made["id"] in run(root, "robot", "list")
    assert "push team/*" in " ".join(run(root, "grant", "list", "ci").split())
    assert not any(text in table for text in (made["secret"], secret))
    full = run(root, "token", "add", "ci", code=CONFLICT)
    assert "ci has 2 tokens, and may have 2" in full
    assert run(root, "token", "revoke", made["id"]) == f"token {made['id']} of ci is revoked\n"
    assert json.loads(run(root, "token", "add", "ci", "--format", "json"))["secret"]


def test_a_group_is_joined_and_left(server: RegistryServer) -> None:
    root = server.root
    run(root, "group", "add", "leads")
    run(root, "group", "join", "leads", "ada")
    assert run(root, "group", "list").splitlines()[2].split() == ["leads", "ada"]

    run(root, "group", "leave", "leads", "ada")

    assert run(root, "group", "list").splitlines()[2].split() == ["leads", "-"]
    assert run(root, "group", "remove", "leads") == "group leads is removed\n"


def test_the_exit_status_tells_the_kind_of_refusal(server: RegistryServer) -> None:
    root = server.root
    for arguments, code, said in (
        (("user", "add", "Not A Name", "--no-password"), REFUSED, "name is 'Not A Name', expected"),
        (("user", "set", "ada"), USAGE, "say what to change"),
        (("robot", "add", "ci", "--expires", "soon"), USAGE, "expected a number and a unit"),
        (("robot", "add", "ci", "--pull", "/a"), REFUSED, "pattern is '/a', expected"),
        (("user", "add"), USAGE, "NAME"),
        (("user", "remove", "bob"), ABSENT, "there is no user bob"),
        (("group", "join", "leads", "ada"), ABSENT, "there is no group leads"),
        (("token", "revoke", "nothing"), ABSENT, "there is no token nothing"),
        (("user", "add", "ada", "--no-password"), CONFLICT, "there is a user ada already"),
        (("user", "remove", "ada"), CONFLICT, "ada is the only owner"),
        (("user", "set", "ada", "--disable"), CONFLICT, "ada is the only owner"),
    ):
        assert said in run(root, *arguments, code=code)
    short = run(root, "user", "password", "ada", "--password-file", "-", given="short",
                code=REFUSED)  # fmt: skip
    assert "the password has 5 characters, expected 12 to 1024" in short


def test_no_secret_is_in_the_log_or_in_the_audit(server: RegistryServer) -> None:
    root = server.root
    output = run(root, "user", "password", "ada", "--password-file", "-", given=ANOTHER)
    made = json.loads(run(root, "robot", "add", "ci", "--format", "json"))
    run(root, "user", "list", code=DONE)
    if server.server.process is not None:
        server.stop()
        assert "user password" in server.server.tail

    with sqlite3.connect(root / DATABASE) as connection:
        output += str(connection.execute("SELECT * FROM audit").fetchall())
    connection.close()
    log = server.server.log
    output += log.read_text() if log.exists() else ""
    body = made["secret"].split("_")[2]
    assert "robot.add" in output
    assert not any(secret in output for secret in (PASSWORD, ANOTHER, body, "argon2"))


def test_users_of_an_htpasswd_file_keep_their_passwords(
    server: RegistryServer, tmp_path: Path
) -> None:
    file, found = tmp_path / "htpasswd", "$2y$05$" + "a" * 53
    file.write_text(f"bob:{found}\neve:{found}\n")

    said = run(server.root, "user", "import", str(file))
    again = run(server.root, "user", "import", str(file), code=CONFLICT)
    file.write_text(f"bob:$apr1$x$y\nEve:{found}\n")
    refused = run(server.root, "user", "import", str(file), code=REFUSED)

    assert said.splitlines() == ["user bob is added", "user eve is added"]
    assert "there is a user bob already" in again
    assert "line 1: the password of bob is no bcrypt hash" in refused
    assert "line 2: name is 'Eve'" in refused
    if server.server.log.exists():
        assert found not in server.server.log.read_text()
