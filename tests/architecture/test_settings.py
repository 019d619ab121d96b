"""config.example.toml shows every setting, with its default and a line on why."""

import dataclasses
import tomllib
from itertools import pairwise
from pathlib import Path

import registry
from registry.config import Settings, load_settings

EXAMPLE = Path(registry.__file__).parent.parent / "config.example.toml"


def test_the_example_is_the_defaults() -> None:
    assert load_settings(EXAMPLE) == Settings()


def test_the_example_shows_every_setting_in_the_order_of_the_tree() -> None:
    document = tomllib.loads(EXAMPLE.read_text())

    shown = [f"{section}.{key}" for section, entries in document.items() for key in entries]
    known = [
        f"{section.name}.{entry.name}"
        for section in dataclasses.fields(Settings)
        for entry in dataclasses.fields(getattr(Settings(), section.name))
    ]
    assert shown == known


def test_every_setting_is_explained_right_above_it() -> None:
    lines = EXAMPLE.read_text().splitlines()

    for above, line in pairwise(lines):
        if "=" in line and not line.startswith(("#", "[")):
            assert above.startswith("# "), line
            assert above.endswith((".", ")")), above
