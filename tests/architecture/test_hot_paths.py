"""Six hot paths: each is marked once, at its entry, with the benchmark row that measures it.

A mark is a line of a docstring, ``Hot path: ROW.``, where ``python -m bench --rows ROW`` runs it.
"""

import re
from pathlib import Path

from bench.__main__ import ROWS

ROOT = Path(__file__).parents[2]
PROGRAMS = ("oci", "registry", "runner")

_MARK = re.compile(r"hot path", re.IGNORECASE)
_NAMED = re.compile(r"^ *Hot path: (\w+)\.$", re.MULTILINE)


def sources() -> list[str]:
    return [module.read_text() for part in PROGRAMS for module in (ROOT / part).rglob("*.py")]


def test_there_are_six_hot_paths_each_with_a_row_of_its_own() -> None:
    rows = [row for text in sources() for row in _NAMED.findall(text)]

    assert len(rows) == 6
    assert len(set(rows)) == 6
    assert set(rows) <= ROWS.keys()


def test_a_hot_path_is_marked_in_no_other_way() -> None:
    marks = sum(len(_MARK.findall(text)) for text in sources())

    assert marks == 6
