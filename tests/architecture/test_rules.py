"""docs/rules.md defines every rule id in use, and names test files that exist.

The docstring of the code that implements a rule names its id.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.integrity.findings import INVARIANTS

ROOT = Path(__file__).parents[2]
RULES = ROOT / "docs" / "rules.md"

_ROW = re.compile(r"^\| ((?:[A-Z]+-|I)[0-9]+) \| (.+?) \| (.+?) \|$", re.MULTILINE)
_SPELLED = re.compile(r"\b((?:AZ|AN|IN|HT|DS|LG|SS|GC|PERF|WB|C)-[0-9]+|I[1-9][0-9]?)\b")
_TEST_NAME = re.compile(r"def test_(?:[a-z0-9_]*?_)?(az|an|in|ht|ds|lg|ss|gc|perf|wb|c)_([0-9]+)_")
_TEST_OF_INVARIANT = re.compile(r"def test_i([0-9]+)_")
PROGRAMS = ("oci", "registry", "runner")
SOURCES = (*PROGRAMS, "tests", "migrations", "bench")


def rules() -> dict[str, tuple[str, list[str]]]:
    """Each rule's sentence and test files, by its id."""
    text = RULES.read_text()
    return {
        identifier: (sentence, re.findall(r"`([^`]+)`", tests))
        for identifier, sentence, tests in _ROW.findall(text)
    }


def ids_in(text: str) -> set[str]:
    """The rule ids that a text uses, spelled out or in the name of a test."""
    spelled = set(_SPELLED.findall(text))
    named = {f"{family.upper()}-{number}" for family, number in _TEST_NAME.findall(text)}
    return spelled | named | {f"I{number}" for number in _TEST_OF_INVARIANT.findall(text)}


def docstrings(source: str) -> Iterator[str]:
    """The docstrings of a module, its classes and its functions."""
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, documented):
            yield ast.get_docstring(node) or ""


def test_every_id_in_use_is_defined() -> None:
    defined = rules()
    missing = {
        f"{module.relative_to(ROOT)}: {identifier}"
        for part in SOURCES
        for module in (ROOT / part).rglob("*.py")
        for identifier in ids_in(module.read_text()) - defined.keys()
    }

    assert missing == set()


@pytest.mark.parametrize("identifier", rules())
def test_a_rule_is_a_sentence_with_tests_that_exist(identifier: str) -> None:
    sentence, tests = rules()[identifier]

    assert sentence.endswith(".")
    assert tests
    for test in tests:
        assert (ROOT / test).is_file(), f"{identifier} names {test}, which is not there"


def test_each_rule_is_named_where_it_is_implemented() -> None:
    named = {
        identifier
        for part in PROGRAMS
        for module in (ROOT / part).rglob("*.py")
        for docstring in docstrings(module.read_text())
        for identifier in ids_in(docstring)
    }
    # An invariant (I1, I2, …) has no one place: many implement it together, and fsck checks it.
    wanted = {identifier for identifier in rules() if "-" in identifier}

    assert wanted - named == set()


def test_tests_that_bear_an_id_in_their_name_are_listed() -> None:
    unlisted = {
        f"{identifier}: {path.relative_to(ROOT)}"
        for path in (ROOT / "tests").rglob("test_*.py")
        for family, number in _TEST_NAME.findall(path.read_text())
        for identifier in (f"{family.upper()}-{number}",)
        if str(path.relative_to(ROOT)) not in rules()[identifier][1]
    }

    assert unlisted == set()


def test_every_rule_that_fsck_checks_is_an_invariant_of_the_page() -> None:
    assert INVARIANTS.keys() <= rules().keys()


def test_ids_are_read_from_sentences_and_from_names_of_tests() -> None:
    number = 99
    text = f"rule IN-{number}: def test_ht_{number}_x, def test_i{number}_y; not UTF-8 nor I128"

    assert ids_in(text) == {f"IN-{number}", f"HT-{number}", f"I{number}"}


def test_an_id_in_a_comment_or_a_string_is_in_no_docstring() -> None:
    source = '"""A."""\n# GC-1\nx = "GC-2"\ndef f():\n    """B (rule GC-3)."""\n'

    assert [ids_in(docstring) for docstring in docstrings(source)] == [set(), {"GC-3"}]
