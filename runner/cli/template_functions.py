"""Functions of templates, by the names that Go's text/template and docker give them.

https://pkg.go.dev/text/template#hdr-Functions
https://docs.docker.com/engine/cli/formatting/
"""

import json
from collections.abc import Callable, Mapping
from typing import Any


def format_value(value: Any) -> str:
    """Format a value as Go prints it: true, <no value>, [a b], map[k:v]."""
    if value is None:
        return "<no value>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return f"map[{' '.join(f'{key}:{format_value(value[key])}' for key in sorted(value))}]"
    if isinstance(value, list | tuple):
        return f"[{' '.join(format_value(item) for item in value)}]"
    return str(value)


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        value = value.get(key, "") if isinstance(value, Mapping) else value[key]
    return value


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "eq": lambda left, *right: left in right,
    "ne": lambda left, right: left != right,
    "not": lambda value: not value,
    "and": lambda *values: next((value for value in values if not value), values[-1]),
    "or": lambda *values: next((value for value in values if value), values[-1]),
    "index": _index,
    "join": lambda items, separator: separator.join(items or ()),
    "json": lambda value: json.dumps(value, separators=(",", ":"), ensure_ascii=False),
    "len": lambda value: len(value or ()),
    "lower": lambda text: str(text).lower(),
    "upper": lambda text: str(text).upper(),
    "print": lambda *values: "".join(format_value(value) for value in values),
    "println": lambda *values: " ".join(format_value(value) for value in values) + "\n",
    "slice": lambda text, *bounds: text[slice(*bounds)] if len(bounds) > 1 else text[bounds[0] :],
    "split": lambda text, separator: text.split(separator),
    "title": lambda text: str(text).title(),
}
