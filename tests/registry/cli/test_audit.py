"""registry audit: the same live and stopped, and of a file."""

import csv
import io
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from registry.cli.audit import COLUMNS, MAX_LINE, cell
from registry.cli.entry import main
from registry.storage.disk.root import DATABASE, Root
from tests.registry.cli.conftest import push
from tests.support.processes import NO_FLOOR, registry_server
from tests.support.registry.schema import upgrade

pytestmark = pytest.mark.takes(20)

PREVIOUS = "0" * 64


def invoke(root: Path, *arguments: str, given: str | None = None) -> Result:
    program = CliRunner(env=NO_FLOOR)
    return program.invoke(main, ["audit", *arguments, "--root", str(root)], input=given)


def run(root: Path, *arguments: str, code: int = 0, given: str | None = None) -> str:
    result = invoke(root, *arguments, given=given)
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture(params=["live", "stopped"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A registry with two tags and a user; in the one case it runs."""
    with registry_server(tmp_path / "root") as server:
        push(server, "v1")
        push(server, "v2")
        added = ["user", "add", "ada", "--no-password", "--root", str(server.root)]
        assert CliRunner(env=NO_FLOOR).invoke(main, added).exit_code == 0
        if request.param == "live":
            yield server.root
            return
    yield tmp_path / "root"


@pytest.fixture
def stopped(tmp_path: Path) -> Path:
    """A registry that is stopped, with a user and a group."""
    with Root.open(tmp_path / "root") as root:
        upgrade(root.database)
    for arguments in (["user", "add", "ada", "--no-password"], ["group", "add", "web"]):
        CliRunner(env=NO_FLOOR).invoke(main, [*arguments, "--root", str(tmp_path / "root")])
    return tmp_path / "root"


def rows(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def alter(root: Path, change: str) -> None:
    with sqlite3.connect(root / DATABASE) as database:
        database.execute(change)
    database.close()


def test_the_list_is_newest_first_and_chosen(root: Path) -> None:
    listed = rows(run(root, "list", "--format", "json"))
    table = run(root, "list", "--limit", "1").splitlines()
    pushes = rows(run(root, "list", "--action", "manifest.*", "--format", "json"))
    here = rows(run(root, "list", "--repository", "team/*", "--format", "json"))
    by_operator = rows(run(root, "list", "--who", "operator", "--format", "json"))

    assert [row["id"] for row in listed] == sorted((row["id"] for row in listed), reverse=True)
    assert (listed[0]["action"], listed[0]["target"]) == ("user.add", "ada")
    assert table[0].split() == ["TIME", "WHO", "ACTION", "REPOSITORY", "TARGET", "DETAIL"]
    assert table[2].split()[1:] == ["operator", "user.add", "ada"]
    assert len(table) == 3
    assert [row["action"] for row in pushes] == ["manifest.push"] * 2
    assert here == listed[1:]
    assert by_operator == listed[:1]
    assert run(root, "list", "--since", "1d") == run(root, "list")
    assert run(root, "list", "--who", "bob") == ""


def test_an_export_is_the_chain_and_verifies_by_itself(root: Path) -> None:
    text = run(root, "export")

    exported = rows(text)
    assert [row["id"] for row in exported] == sorted(row["id"] for row in exported)
    assert [row["previous"] for row in exported] == ["", *(row["hash"] for row in exported[:-1])]
    said = f"ok, {len(exported)} rows, head {exported[-1]['hash']}\n"
    assert run(root, "verify") == said
    assert run(root, "verify", "-", given=text) == said
    assert run(root, "verify", "--head", str(exported[2]["hash"])) == said
    part = "".join(text.splitlines(keepends=True)[3:])
    assert f"from the row after {exported[2]['hash']} on, head" in run(
        root, "verify", "-", given=part
    )
    found = json.loads(run(root, "verify", "--format", "json"))
    assert found == {"rows": len(exported), "head": exported[-1]["hash"], "begins_after": ""}


def test_a_head_that_the_chain_lacks_is_told(root: Path) -> None:
    text = run(root, "export")
    cut = "".join(text.splitlines(keepends=True)[:-1])
    head = str(rows(text)[-1]["hash"])

    whole = run(root, "verify", "-", "--head", head, given=text)
    said = run(root, "verify", "-", "--head", head, given=cut, code=1)

    assert whole.startswith("ok, ")
    assert f"has hash {head}, and the last one has {rows(cut)[-1]['hash']}" in said
    assert "the end was cut off" in said
    assert PREVIOUS in run(root, "verify", "--head", PREVIOUS, code=1)
    assert "the head is no hash" in run(root, "verify", "--head", "x", code=1)


@pytest.mark.parametrize(
    ("change", "row"),
    [
        ("UPDATE audit SET identity = 'eve' WHERE id = 1", 1),
        ("UPDATE audit SET detail = 'owner' WHERE id = 1", 1),
        ("DELETE FROM audit WHERE id = 1", 2),
        ("UPDATE audit SET hash = 'a' WHERE id = 2", 2),
        (
            "INSERT INTO audit SELECT -1, at, identity, action, repository,"
            " target, detail, 'b' FROM audit WHERE id = 1",
            -1,
        ),
    ],
)
def test_the_first_row_that_is_wrong_is_told(stopped: Path, change: str, row: int) -> None:
    run(stopped, "verify")
    alter(stopped, change)

    said = run(stopped, "verify", code=1)

    assert f"row {row} (" in said
    assert "expected" in said
    assert f"row {row} (" in run(stopped, "verify", "-", given=run(stopped, "export"), code=1)


@pytest.mark.parametrize(
    ("find", "put", "said"),
    [
        ('"target": "ada"', '"target": "eve"', "row 1 (user.add by operator) has hash"),
        ('"previous": ""', f'"previous": "{PREVIOUS}"', "row 1 (user.add by operator) has hash"),
        ('"at": ', '"at": 1', "row 1 (user.add by operator) has hash"),
        ('"id": 1,', "", "line 1: expected a row of `registry audit export --format ndjson`"),
        ('"id": 1,', '"id": true,', "line 1: expected a row"),
        ('"target": "ada"', '"target": "\\ud800"', "line 1: expected a row"),
        ('"id": 1,', '"id": 1, "id": 1,', "line 1: expected a row"),
        ("{", "x" * (2 * MAX_LINE) + "{", "line 1: expected a row"),
    ],
)
def test_a_file_that_was_altered_is_told(stopped: Path, find: str, put: str, said: str) -> None:
    text = run(stopped, "export")
    assert find in text

    assert said in run(stopped, "verify", "-", given=text.replace(find, put, 1), code=1)


def test_lines_that_were_removed_from_a_file_are_told(stopped: Path) -> None:
    CliRunner(env=NO_FLOOR).invoke(main, ["group", "add", "db", "--root", str(stopped)])
    first, second, third = rows(run(stopped, "export"))
    text = "".join(json.dumps(row) + "\n" for row in (first, third))

    said = run(stopped, "verify", "-", given=text, code=1)

    assert f"row 3 on line 2 follows {second['hash']}, expected {first['hash']}" in said


def test_since_leaves_out_what_was_before(stopped: Path) -> None:
    alter(stopped, "UPDATE audit SET at = 1 WHERE id = 1")

    assert [row["id"] for row in rows(run(stopped, "list", "--since", "1h", "--format", "json"))]
    exported = rows(run(stopped, "export", "--since", "1h"))

    assert [row["id"] for row in exported] == [2]
    text = json.dumps(exported[0])
    assert run(stopped, "verify", "-", given=text).startswith("ok, 1 rows, from the row after")
    alter(stopped, "UPDATE audit SET at = 1")
    assert run(stopped, "export", "--since", "1h") == ""


def test_an_empty_chain_is_in_order(stopped: Path) -> None:
    alter(stopped, "DELETE FROM audit")

    assert run(stopped, "verify") == "ok, 0 rows, head none\n"
    assert run(stopped, "verify", "-", given="") == "ok, 0 rows, head none\n"
    assert run(stopped, "export") == ""
    assert "none of 0 rows" in run(stopped, "verify", "--head", PREVIOUS, code=1)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_wb_19_no_cell_of_csv_is_a_formula(stopped: Path, start: str) -> None:
    alter(stopped, f"UPDATE audit SET detail = char({ord(start)}) || 'cmd()' WHERE id = 1")  # noqa: S608

    exported = list(csv.DictReader(io.StringIO(run(stopped, "export", "--format", "csv"))))

    assert tuple(exported[0]) == COLUMNS
    assert exported[0]["detail"].startswith(f"'{start}") or start == "\r"
    assert cell(f"{start}cmd()") == f"'{start}cmd()"
    assert exported[1]["target"] == "web"
    assert exported[0]["time"].endswith("Z")


def test_a_terminal_gets_no_control_characters(stopped: Path) -> None:
    alter(stopped, "UPDATE audit SET detail = char(27) || '[2J' WHERE id = 1")

    listed = run(stopped, "list")

    assert "\\x1b[2J" in listed
    assert "\x1b" not in listed


def test_a_selection_that_cannot_be_is_refused(root: Path) -> None:
    assert "glob is" in run(root, "list", "--action", "[", code=1)
    assert "pattern is" in run(root, "list", "--repository", "/a", code=1)
