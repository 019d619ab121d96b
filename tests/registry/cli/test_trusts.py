"""registry trust: the same live and stopped."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from registry.cli.entry import main
from tests.support.processes import NO_FLOOR, make_registry_server
from tests.support.registry.issuer import signed

pytestmark = pytest.mark.takes(15)

DONE, REFUSED, USAGE, ABSENT, CONFLICT = range(5)
GITHUB = "https://token.actions.githubusercontent.com"
ADD = ("add", "gh-app", "--issuer", "github", "--audience", "mine", "--repository-id", "812")


def run(root: Path, *arguments: str, code: int = DONE, given: str | None = None) -> str:
    result = CliRunner().invoke(
        main, ["trust", *arguments, "--root", str(root)], env=NO_FLOOR, input=given
    )
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture(params=["live", "stopped"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    server = make_registry_server(tmp_path / "root", anonymous="none")
    server.start()
    if request.param == "stopped":
        server.stop()
        yield server.root
        return
    try:
        yield server.root
    finally:
        server.stop()


def a_token(**changed: object) -> str:
    now = int(time.time())
    claims = {"iss": GITHUB, "aud": "mine", "repository_id": "812", "iat": now, "exp": now + 300}
    return signed({**claims, **changed})


def test_a_trust_is_added_listed_inspected_and_removed(root: Path, tmp_path: Path) -> None:
    more = ("--ref", "refs/tags/*", "--require", "environment=a=b", "--life", "1h")
    added = run(root, *ADD, *more, "--push", "team/*", "--pull", "*")
    assert added == f"trust gh-app accepts tokens of {GITHUB}\n"

    [_, _, line] = run(root, "list").splitlines()
    assert line.split()[:2] == ["gh-app", GITHUB]
    assert "repository_id=812, ref=refs/tags/*, environment=a=b" in line
    assert "pull *, push team/*" in line
    assert "60 min" in line
    file = tmp_path / "token"
    file.write_text(a_token(ref="refs/tags/v1", environment="a=b") + "\n")
    told = run(root, "inspect", str(file))
    assert 'repository_id            "812"' in told
    assert told.endswith("gh-app accepts it\n")
    refused = run(root, "inspect", "-", code=REFUSED, given=a_token(ref="refs/heads/main"))
    assert "gh-app refuses it: ref is 'refs/heads/main', expected 'refs/tags/*'" in refused
    assert run(root, "remove", "gh-app") == "trust gh-app is removed\n"
    assert "there is no trust gh-app" in run(root, "remove", "gh-app", code=ABSENT)


def test_the_token_itself_is_not_printed(root: Path) -> None:
    run(root, *ADD, "--push", "team/*")
    token = a_token()

    for style in ("table", "json"):
        told = run(root, "inspect", "-", "--format", style, given=token)
        assert all(part not in told for part in token.split("."))
    [head, line] = map(json.loads, told.splitlines())
    assert (head["problem"], line["trust"], line["accepts"]) == ("", "gh-app", True)
    late = run(root, "inspect", "-", code=REFUSED, given=a_token(exp=1))
    assert "the token has expired" in late
    assert "gh-app refuses it: not any more" in late


def test_a_trust_that_holds_nobody_off_is_refused(root: Path) -> None:
    for arguments, code, said in (
        (("add", "a", "--issuer", "github", "--push", "*"), REFUSED, "repository_owner_id"),
        (("add", "a", "--issuer", "http://ci.test", "--push", "*"), REFUSED, "issuer is"),
        ((*ADD,), REFUSED, "0 grants"),
        ((*ADD, "--push", "*", "--life", "2h"), REFUSED, "live from"),
        ((*ADD, "--push", "*", "--require", "a"), USAGE, "expected CLAIM=VALUE"),
        (("add", "a", "--push", "*"), USAGE, "--issuer"),
        (("inspect", "/dev/null"), REFUSED, "expected a JSON Web Token"),
        (("inspect", "-"), REFUSED, "has no token"),
    ):
        assert said in run(root, *arguments, code=code, given="é"), arguments
    assert run(root, "list") == ""
    run(root, *ADD, "--push", "*")
    assert "there is a robot gh-app already" in run(root, *ADD, "--push", "*", code=CONFLICT)
