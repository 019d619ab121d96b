"""Tests mirror the modules: the test of ``registry/x/y.py`` is ``tests/registry/x/test_y.py``."""

import ast
import io
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = ("oci", "registry", "runner")
MODULES = sorted(
    module
    for program in PROGRAMS
    for module in (ROOT / program).rglob("*.py")
    if not module.name.startswith("__")
)

# A module of no more lines of code may be tested by the tests of those that use it.
MOST_LINES = 30

# Modules without a test of their own, each with the reason.  The list may only become shorter.
WITHOUT = {
    "registry/storage/metadata/tables.py": "data: test_schema compares it with the migrations",
    "registry/storage/metadata/identity/tables.py": "data, as the tables beside it",
    "runner/remote/registries.py": "delegates: held by remote/test_contract.py",
    "runner/services/containers/dependencies.py": "composition: values handed to the services",
}

_NO_CODE = frozenset({
    tokenize.COMMENT, tokenize.DEDENT, tokenize.ENDMARKER, tokenize.INDENT, tokenize.NEWLINE,
    tokenize.NL,
})  # fmt: skip


def lines_of_code(module: Path) -> int:
    """Lines with code on them: neither blank, nor a comment, nor of a docstring."""
    source = module.read_text()
    lines = {
        line
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type not in _NO_CODE
        for line in range(token.start[0], token.end[0] + 1)
    }
    return len(lines - lines_of_docstrings(ast.parse(source)))


def lines_of_docstrings(tree: ast.Module) -> set[int]:
    documented = ast.AsyncFunctionDef | ast.ClassDef | ast.FunctionDef | ast.Module
    return {
        line
        for node in ast.walk(tree)
        if isinstance(node, documented) and ast.get_docstring(node) is not None
        for line in range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1)
    }


def path_of_test(module: Path) -> Path:
    return ROOT / "tests" / module.relative_to(ROOT).parent / f"test_{module.name}"


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(ROOT)))
def test_a_module_has_its_test_at_its_path(module: Path) -> None:
    if lines_of_code(module) > MOST_LINES and str(module.relative_to(ROOT)) not in WITHOUT:
        assert path_of_test(module).exists()


@pytest.mark.parametrize("name", WITHOUT)
def test_an_exception_is_one_still(name: str) -> None:
    assert (ROOT / name).exists(), "the module is gone: take it from the list"
    assert not path_of_test(ROOT / name).exists(), "the module has its test: take it from the list"


def test_a_line_of_code_is_no_comment_and_no_docstring(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text('"""Said.\n\nAgain."""\n\n# A reason.\nTEXT = """one\ntwo"""\n\n\ndef f():\n'
                      '    """Said."""\n    return TEXT  # as it is\n')  # fmt: skip

    assert lines_of_code(module) == 4
