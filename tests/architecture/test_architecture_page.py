"""docs/architecture.md names modules, functions and rooms that exist; the README leads to it."""

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "architecture.md"
MAX_LINES = 245
MAX_CHARACTERS = 100

_HEADING = re.compile(r"^##.*?(?:\(`(?P<package>\w+)/`\))?$")
_SPAN = re.compile(r"`([^`]+)`")
_PLACE = re.compile(r"(?P<path>[\w./-]+\.py)?(?::(?P<name>\w+(?:\.\w+)?))?")
_PATH = re.compile(r"[\w.-]+(?:/[\w.-]+)*(?:/|\.md|\.toml)|scripts/\w+")
_BARE = re.compile(r"[A-Z]\w*\.\w+|_*[a-z]+\w*\(\)")
_ROOM_LINE = re.compile(
    r"^ (?P<outer>[│▼]) (?P<inner>  [│▼] )?(?P<rooms>\w+(?: · \w+)*)(?: +\S.*)?$"
)
_LINK = re.compile(r"\]\(([^)]+)\)")
_PICTURE = re.compile(r"^```text\n(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def spans() -> Iterator[tuple[str, str]]:
    """Each text set as code outside the pictures, with the package that its heading names."""
    package = ""
    for line in _PICTURE.sub("", PAGE.read_text()).splitlines():
        if heading := _HEADING.match(line):
            package = heading["package"] or ""
        yield from ((package, span) for span in _SPAN.findall(line))


def found(package: str, path: str) -> Path | None:
    """The file or directory that a path of the page means, if there is one."""
    places = (ROOT / package / path, ROOT / path, PAGE.parent / path)
    return next((place for place in places if place.exists()), None)


def places() -> list[tuple[str, Path | None, str | None]]:
    """Each place of the page as it is written, its module, and the name in that."""
    module: Path | None = None
    read = []
    for package, span in spans():
        match = _PLACE.fullmatch(span)
        if match is None:
            continue
        if match["path"] is not None:
            module = found(package, match["path"])
        read.append((span, module, match["name"]))
    return read


@cache
def names(module: Path) -> frozenset[str]:
    """The names that a module defines, and those of its classes as ``Class.name``."""
    return frozenset(defined(ast.parse(module.read_text()).body, ""))


def defined(body: list[ast.stmt], prefix: str) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield prefix + node.name
        if isinstance(node, ast.ClassDef) and not prefix:
            yield from defined(node.body, f"{node.name}.")
            yield from (f"{node.name}.{name}" for name in attributes(node))
        targets = node.targets if isinstance(node, ast.Assign) else []
        targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
        yield from (prefix + target.id for target in targets if isinstance(target, ast.Name))


def attributes(node: ast.ClassDef) -> Iterator[str]:
    """Attributes that the methods of a class set on ``self``."""
    for child in ast.walk(node):
        if isinstance(child, ast.Attribute) and isinstance(child.ctx, ast.Store):
            yield child.attr


def picture(package: str) -> dict[str, list[set[str]]]:
    """The layers of a package as its picture has them, those within a room by that room's name."""
    drawn = dict(_PICTURE.findall(PAGE.read_text()))[package]
    layers: dict[str, list[set[str]]] = {package: []}
    parent = ""
    for line in drawn.splitlines():
        match = _ROOM_LINE.fullmatch(line)
        assert match is not None, line
        rooms = set(match["rooms"].split(" · "))
        if match["inner"]:
            layers.setdefault(f"{package}.{parent}", []).append(rooms)
        else:
            layers[package].append(rooms)
            parent = next((room for room in sorted(rooms) if room in ("services", "storage")), "")
    return layers


def contracts() -> dict[str, list[set[str]]]:
    """The layers that pyproject.toml holds a package to, but for its ``__main__``."""
    document = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return {
        container: [set(layer.split(" | ")) for layer in contract["layers"] if layer != "__main__"]
        for contract in document["tool"]["importlinter"]["contracts"]
        for container in contract.get("containers", ())
    }


@pytest.mark.parametrize(("span", "module", "name"), places())
def test_a_place_exists(span: str, module: Path | None, name: str | None) -> None:
    assert module is not None, f"{span}: no such module"
    assert name is None or name in names(module), f"{span}: {module} defines no {name}"


def test_a_path_exists() -> None:
    paths = [(package, span) for package, span in spans() if _PATH.fullmatch(span)]

    assert len(paths) > 5
    assert [span for package, span in paths if found(package, span) is None] == []


def test_a_name_is_written_with_its_module() -> None:
    assert [span for _, span in spans() if _BARE.fullmatch(span)] == []


@pytest.mark.parametrize("package", ["registry", "runner"])
def test_the_picture_is_the_contracts(package: str) -> None:
    drawn = picture(package)

    assert len(drawn) > 1
    assert drawn == {room: contracts()[room] for room in contracts() if room in drawn}


def test_the_pictures_show_the_rooms_within_the_large_ones() -> None:
    drawn = {room for package in ("registry", "runner") for room in picture(package)}

    assert drawn == {"registry", "registry.storage", "runner", "runner.services", "runner.storage"}


def test_the_page_is_one_page() -> None:
    lines = PAGE.read_text().splitlines()

    assert len(lines) <= MAX_LINES
    # A row of a table cannot be broken.
    assert [line for line in lines if len(line) > MAX_CHARACTERS and line[0] != "|"] == []


def test_the_readme_leads_to_every_page() -> None:
    pages = {str(page.relative_to(ROOT)) for page in PAGE.parent.glob("*.md")}

    assert pages <= set(_LINK.findall((ROOT / "README.md").read_text()))
