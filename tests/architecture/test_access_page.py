"""docs/access.md: its commands work in their order, on a root that was started once."""

import re
import shlex
from pathlib import Path

from click.testing import CliRunner

from registry.cli.entry import main
from registry.storage.disk.root import Root
from tests.support.memory import directory_in_memory
from tests.support.registry.schema import upgrade

PAGE = Path(__file__).parents[2] / "docs" / "access.md"
PASSWORD = "a password of the page's own\n"  # noqa: S105  (of a registry that ends with the test)
PROMISED = (
    "yes  bob holds maintain on team/app (grant 3)",
    "no   eve holds no role, expected pull",
)

_COMMAND = re.compile(r"^\$ registry (.*)$", re.MULTILINE)


def commands() -> list[list[str]]:
    return [shlex.split(found) for found in _COMMAND.findall(PAGE.read_text())]


def test_the_commands_of_the_page_work_in_their_order(tmp_path: Path) -> None:
    printed = ""
    with directory_in_memory(tmp_path) as directory:
        with Root.open(directory / "root") as root:
            upgrade(root.database)
        program = CliRunner(env={"REGISTRY_STORAGE__ROOT": str(directory / "root")})
        for words in commands():
            ids = re.findall(r"^ ?(\w{12}) ", printed, re.MULTILINE)
            given = [ids[-1] if word == "ID" else word for word in words]
            is_asked = words[0] == "setup" or words[:2] == ["user", "add"]
            done = program.invoke(main, given, input=PASSWORD * 2 if is_asked else None)
            printed += done.output

            is_refused = words[:3] == ["grant", "explain", "eve"]
            assert done.exit_code == int(is_refused), f"{words}: {done.output}"

    assert [line for line in PROMISED if line not in printed or line not in PAGE.read_text()] == []
