"""Read typed fields of a JSON document; BadRequest names the field.

The docker command sends every field, so ``null`` and the type's zero value both mean "unset".
"""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from runner.errors import BadRequest

T = TypeVar("T")

_JSON_TYPES: dict[type, str] = {
    str: "a string",
    int: "an integer",
    bool: "a boolean",
    dict: "an object",
    list: "a list",
}


def text(document: Mapping[str, Any], key: str) -> str:
    """The string under ``key``, "" when absent; without NUL, which no kernel interface takes."""
    value = _typed(document, key, str, "")
    if "\0" in value:
        raise BadRequest(f"{key}: {value!r} contains a NUL character")
    return value


def integer(document: Mapping[str, Any], key: str) -> int:
    """The integer under ``key``, 0 when absent; within 64 bits."""
    value = _typed(document, key, int, 0)
    if not -(2**63) <= value < 2**63:
        raise BadRequest(f"{key}: expected a number of 64 bits, found {str(value)[:40]}")
    return value


def boolean(document: Mapping[str, Any], key: str) -> bool:
    return _typed(document, key, bool, False)


def mapping(document: Mapping[str, Any], key: str) -> dict[str, Any]:
    return _typed(document, key, dict, {})


def strings(document: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """The list of strings under ``key``; a single string counts as a list of one (old clients)."""
    value = document.get(key)
    if isinstance(value, str):
        return (text(document, key),)
    items = _typed(document, key, list, [])
    return tuple(text({key: item}, key) if item is not None else "" for item in items)


def objects(document: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    items = _typed(document, key, list, [])
    return [mapping({key: item}, key) for item in items]


def string_map(document: Mapping[str, Any], key: str) -> dict[str, str]:
    found = mapping(document, key)
    return {name: text(found, name) for name in found}


def refuse_unknown(document: Mapping[str, Any], known: Iterable[str], where: str = "") -> None:
    """BadRequest for the first unknown field that is set.

    A newer client's field with its zero value is ignored.  ``where`` is the path to the
    document, with a full stop at its end, or "".
    """
    names = frozenset(known)
    for key, value in document.items():
        if key not in names and not is_unset(value):
            raise BadRequest(f"{where}{key} is not supported by this version of the runner")


def is_unset(value: object) -> bool:
    """Whether a value is null, a type's zero value, or an object of nothing but these."""
    if isinstance(value, dict):
        return all(is_unset(inner) for inner in value.values())
    return value in (None, "", 0, False) or value == []


def _typed(document: Mapping[str, Any], key: str, kind: type[T], default: T) -> T:
    value = document.get(key)
    if value is None:
        return default
    # bool is an int in Python, not in JSON.
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise BadRequest(f"{key}: expected {_JSON_TYPES[kind]}, found {value!r}")
    return value
