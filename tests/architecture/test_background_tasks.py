"""No task ends unheard: each is made where somebody takes its outcome.

``registry.background`` supervises what runs until shutdown, ``runner.tasks.background`` logs the
failures of what nobody awaits.  Everywhere else a task is awaited, or given a callback that takes
its outcome, by the function that made it.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import registry
import runner

ROOT = Path(registry.__file__).parents[1]
FILES = sorted(
    path
    for package in (registry, runner)
    for path in Path(str(package.__file__)).parent.rglob("*.py")
)
MAKES_TASK = {"create_task", "ensure_future", "run_coroutine_threadsafe"}
# Calls that take a task's outcome, or are told of its end.
TAKES_OUTCOME = {"gather", "wait", "wait_for", "shield", "add_done_callback", "TaskGroup"}


def name_of(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def tasks_of(tree: ast.AST) -> Iterator[tuple[ast.Call, bool]]:
    """Every call that makes a task, and whether it is the whole statement."""
    bare = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and name_of(node) in MAKES_TASK:
            yield node, id(node) in bare


def takes_outcome(call: ast.Call) -> bool:
    """Whether the call takes a task's outcome; a callback that only drops the task does not."""
    drops = any(
        isinstance(each, ast.Lambda) or (isinstance(each, ast.Attribute) and each.attr == "discard")
        for each in call.args
    )
    return name_of(call) in TAKES_OUTCOME and not (name_of(call) == "add_done_callback" and drops)


def unheard(tree: ast.AST) -> list[str]:
    """Tasks whose outcome nobody takes in the scope that made them, by line."""
    found = []
    for scope in ast.walk(tree):
        if not isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        nodes = [node for node in ast.walk(scope) if isinstance(node, ast.Call | ast.Await)]
        takes = any(isinstance(node, ast.Call) and takes_outcome(node) for node in nodes)
        takes |= any(
            isinstance(node, ast.Await) and isinstance(node.value, ast.Name | ast.Attribute)
            for node in nodes
        )
        in_group = any(
            isinstance(node, ast.Attribute) and node.attr == "TaskGroup" for node in ast.walk(scope)
        )
        for call, is_bare in tasks_of(scope):
            if not takes or (is_bare and not in_group):
                found.append(f"line {call.lineno}")
    return found


def test_every_task_has_somebody_who_takes_its_outcome() -> None:
    found = {str(path.relative_to(ROOT)): unheard(ast.parse(path.read_text())) for path in FILES}

    assert {path: lines for path, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def f():\n    asyncio.create_task(g())", ["line 2"]),
        ("def f():\n    t = asyncio.create_task(g())", ["line 2"]),
        ("def f(self):\n    self.t = loop.create_task(g())", ["line 2"]),
        ("async def f():\n    asyncio.ensure_future(g())\n    await asyncio.wait([t])", ["line 2"]),
        (
            "def f(s):\n    t = asyncio.create_task(g())\n    t.add_done_callback(s.discard)",
            ["line 2"],
        ),
        ("def f():\n    t = create_task(g())\n    t.add_done_callback(lambda _: h())", ["line 2"]),
        ("async def f():\n    t = asyncio.create_task(g())\n    await t", []),
        ("async def f(s):\n    s.t = asyncio.create_task(g())\n    await s.t", []),
        ("def f():\n    t = asyncio.create_task(g())\n    t.add_done_callback(log)", []),
    ],
)
def test_a_task_that_nobody_hears_of_is_found(source: str, expected: list[str]) -> None:
    assert unheard(ast.parse(source)) == expected
