"""docs/glossary.md: each word once, none that it replaces in names and texts; plain sentences."""

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GLOSSARY = ROOT / "docs" / "glossary.md"
MODULES = sorted(
    module for part in ("oci", "registry", "runner") for module in (ROOT / part).rglob("*.py")
)

PROSE = sorted(
    module
    for part in ("oci", "registry", "runner", "migrations", "bench", "tests")
    for module in (ROOT / part).rglob("*.py")
)
PAGES = sorted((ROOT / "docs").rglob("*.md"))
# First words of a sentence that leave open what it is about.
NO_SUBJECTS = ("What", "Whatever", "Who", "Whoever", "Whose")
TEXTS = (
    *("CHANGELOG.md", "README.md", "config.example.toml", "runner.example.toml"),
    *("docs/architecture.md", "docs/rules.md", "docs/leniency.md", "docs/logs.md"),
)
# Replaced in names; in a sentence each is a word like any other.
ORDINARY = frozenset({"act", "acts", "adjustment", "bound", "broken", "holds", "room"})
# In texts it is the command's name, Docker's parameter of the same name, and a table's in SQL.
GIVEN = frozenset({"repo"})

_ROW = re.compile(r"^\| ([^|]+?) \| ([^|]+?) \| ([^|]*?) ?\|$", re.MULTILINE)
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_OPENING = re.compile(rf"(?:\A|[.!?]\s+|\n\n|- )({'|'.join(NO_SUBJECTS)})\b")


def rows() -> list[tuple[str, str, str]]:
    return [row for row in _ROW.findall(GLOSSARY.read_text()) if row[0] not in ("word", "---")]


def refused() -> frozenset[str]:
    """The words that no name may have as a part."""
    return frozenset(word for _, _, replaced in rows() for word in re.findall("`(.+?)`", replaced))


def names(module: Path) -> Iterator[str]:
    """The names that a module brings: its own, and those of what it defines."""
    yield module.stem if module.stem != "__init__" else module.parent.name
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr


def parts(name: str) -> set[str]:
    """The words of a name, in small letters.

    >>> sorted(parts("_LockTimes")), sorted(parts("is_opaque"))
    (['lock', 'times'], ['is', 'opaque'])
    """
    return {part.lower() for part in _PART.findall(name)}


def prose(source: str) -> Iterator[str]:
    """The docstrings of a module's text, and its comments: lines that follow each other as one."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""
    lines: dict[int, str] = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            above = lines.pop(token.start[0] - 1, "")
            lines[token.start[0]] = f"{above} {token.string.lstrip('# ')}".strip()
    yield from lines.values()


def without_subject(texts: Iterable[str]) -> list[str]:
    """The sentences that begin with one of NO_SUBJECTS, from there on."""
    return [text[found.start(1) :] for text in texts for found in _OPENING.finditer(text)]


def refused_in_texts() -> frozenset[str]:
    """The words that no text has, outside of code that names a thing by its old name."""
    return refused() - ORDINARY - GIVEN


def words(text: str) -> set[str]:
    """The words of a text in Markdown, in small letters, without its code.

    >>> sorted(words("Below a *floor* (was `damaged`)"))
    ['a', 'below', 'floor', 'was']
    """
    plain = re.sub(r"```.*?```|`[^`]*`", " ", text, flags=re.DOTALL)
    return {word.lower() for word in re.findall("[A-Za-z]+", plain)}


def unreleased(text: str) -> str:
    """The part of a changelog that is not released: it ends at the next heading of its level."""
    return text.partition("\n## Unreleased\n")[2].partition("\n## ")[0]


def strings(source: str) -> Iterator[str]:
    """All texts of a module's source: messages, help, docstrings."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_each_word_stands_once() -> None:
    words = [word for row in rows() for word in row[0].split(", ")]

    assert len(words) > 50
    assert sorted(words) == sorted(set(words))


def test_each_meaning_is_a_sentence() -> None:
    assert [row[0] for row in rows() if not row[1].endswith(".")] == []


def test_no_word_replaces_itself() -> None:
    words = {word for row in rows() for word in row[0].split(", ")}

    assert refused() & words == set()


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(ROOT)))
def test_names_use_the_glossarys_words(module: Path) -> None:
    found = {name: parts(name) & refused() for name in names(module)}

    assert {name: words for name, words in found.items() if words} == {}


def test_ordinary_words_are_replaced_ones() -> None:
    assert ORDINARY - refused() == set()


@pytest.mark.parametrize("name", TEXTS)
def test_pages_use_the_glossarys_words(name: str) -> None:
    text = (ROOT / name).read_text()
    text = unreleased(text) if name == "CHANGELOG.md" else text

    assert len(words(text)) > 50
    assert words(text) & refused_in_texts() == set()


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(ROOT)))
def test_messages_and_docstrings_use_the_glossarys_words(module: Path) -> None:
    found = {text: words(text) & refused_in_texts() for text in strings(module.read_text())}

    assert {text: replaced for text, replaced in found.items() if replaced} == {}


def test_a_replaced_word_is_found_in_the_unreleased_part_alone() -> None:
    text = "# Log\n\n## Unreleased\nA floor; `fold` is now checkpoint.\n\n## 0.1\nDamaged.\n"

    assert words(unreleased(text)) & refused_in_texts() == {"floor"}


def test_a_replaced_word_is_found_in_any_string() -> None:
    source = 'def f():\n    """Dry."""\n    return f"a {f} floor"\n'

    assert [words(text) & refused_in_texts() for text in strings(source)] == [
        set(),
        set(),
        {"floor"},
    ]


def test_a_replaced_word_is_found_in_any_kind_of_name(tmp_path: Path) -> None:
    module = tmp_path / "tally.py"
    module.write_text(
        "class Janitor:\n    def fold_it(self, chore):\n        self.strangers = chore\n"
    )

    found = [name for name in names(module) if parts(name) & refused()]

    assert found == ["tally", "Janitor", "fold_it", "chore"]


def test_sentences_begin_with_the_thing_or_a_verb() -> None:
    found = {module: without_subject(prose(module.read_text())) for module in PROSE}
    found |= {page: without_subject([page.read_text()]) for page in PAGES}

    assert {place: sentences for place, sentences in found.items() if sentences} == {}


def test_a_sentence_without_a_subject_is_found_in_docstrings_and_comments() -> None:
    source = """
class Log:
    '''The log.  Whoever reads it waits.'''

    # A line of it.
    # What the line holds.
    def line(self):
        '''Somebody, somewhere; what a reader sees.'''
"""

    assert without_subject(prose(source)) == ["Whoever reads it waits.", "What the line holds."]
