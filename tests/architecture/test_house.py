"""The house stays walkable: small files, small functions, rooms of one subject that say so."""

import ast
import re
import statistics
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = ("oci", "registry", "runner")
MODULES = sorted(module for part in PROGRAMS for module in (ROOT / part).rglob("*.py"))
ROOMS = sorted({module.parent for module in MODULES})

ENGINE_API = re.compile(r"https://docs\.docker\.com/(engine/api|reference/api/engine/version)/")

MAX_LINES = 400
MAX_FUNCTION_LINES = 60
MAX_MODULES = 15


def lines_of(module: Path) -> int:
    return module.read_text().count("\n")


def functions_of(module: Path) -> list[tuple[str, int]]:
    """Each function's name and length in lines."""
    return [
        (node.name, (node.end_lineno or node.lineno) - node.lineno + 1)
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def percentile(values: list[int], share: float) -> int:
    return sorted(values)[int(share * (len(values) - 1))]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(ROOT)))
def test_a_module_and_its_functions_fit_in_the_head(module: Path) -> None:
    assert lines_of(module) < MAX_LINES
    assert [name for name, size in functions_of(module) if size > MAX_FUNCTION_LINES] == []


def test_most_modules_and_functions_are_small() -> None:
    lines = [lines_of(module) for module in MODULES if module.name != "__init__.py"]
    functions = [size for module in MODULES for _, size in functions_of(module)]

    assert statistics.median(lines) <= 100
    assert percentile(lines, 0.9) <= 225
    assert percentile(functions, 0.9) <= 20


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: str(room.relative_to(ROOT)))
def test_a_room_has_one_subject(room: Path) -> None:
    modules = list(room.glob("*.py"))

    assert len(modules) <= MAX_MODULES, "a room with so many modules has two subjects"


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: str(room.relative_to(ROOT)))
def test_a_room_says_what_it_is(room: Path) -> None:
    first = ast.get_docstring(ast.parse((room / "__init__.py").read_text()))

    assert first
    assert first.splitlines()[0].endswith(".")


def names_engine_api_without_link(text: str) -> bool:
    """Whether a module's docstring speaks of the Engine API and gives no address of it."""
    return "Engine API" in text and not ENGINE_API.search(text)


def test_a_module_of_the_engine_api_links_its_section() -> None:
    texts = {module: ast.get_docstring(ast.parse(module.read_text())) or "" for module in MODULES}

    assert sum("Engine API" in text for text in texts.values()) > 20
    assert [module for module, text in texts.items() if names_engine_api_without_link(text)] == []


def test_a_module_without_the_link_is_found() -> None:
    text = "Wait.  Engine API, ``ContainerWait``.\nhttps://docs.docker.com/engine/logging/"

    assert names_engine_api_without_link(text)
    assert not names_engine_api_without_link(f"{text}\nhttps://docs.docker.com/engine/api/v1.44/")
