"""docs/audit.md: its table has each action that the source writes, and no other."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from click.testing import CliRunner

from registry.cli.entry import main

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "audit.md").read_text()

_ROW = re.compile(r"^\| `([a-z.]+)` \| ", re.MULTILINE)
_COMMAND = re.compile(r"^\$ registry (audit \w+)", re.MULTILINE)


def appended() -> Iterator[ast.expr]:
    """The action of each call of ``audit.append`` in the source."""
    for module in (ROOT / "registry").rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "audit.append":
                yield node.args[2]


def pattern(action: ast.expr) -> str:
    """An expression of the actions that a literal stands for; ``{…}`` is one word."""
    if isinstance(action, ast.Constant):
        return re.escape(str(action.value))
    assert isinstance(action, ast.JoinedStr), f"{ast.unparse(action)}: expected a literal"
    return "".join(
        re.escape(str(part.value)) if isinstance(part, ast.Constant) else "[a-z]+"
        for part in action.values
    )


def test_each_action_of_the_source_stands_in_the_page() -> None:
    actions, patterns = _ROW.findall(PAGE), {pattern(action) for action in appended()}

    without = [each for each in patterns if not any(re.fullmatch(each, a) for a in actions)]
    unknown = [a for a in actions if not any(re.fullmatch(each, a) for each in patterns)]

    assert len(patterns) > 20
    assert (without, unknown) == ([], [])
    assert len(actions) == len(set(actions))


def test_the_commands_of_the_page_exist() -> None:
    for command in set(_COMMAND.findall(PAGE)):
        assert CliRunner().invoke(main, [*command.split(), "--help"]).exit_code == 0
