"""Bodies: strict JSON, checked against a schema; all that is wrong is told together.

https://json-schema.org/draft/2020-12/json-schema-validation, the part that SCHEMAS uses
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from oci.errors import quoted
from registry.api.management.endpoint import Schema
from registry.api.management.problems import BodyInvalid, FieldProblem
from registry.api.management.schemas import SCHEMAS
from registry.errors import Invalid

MAX_BODY = 64 * 1024
MAX_PROBLEMS = 20

_REFERENCE = "#/components/schemas/"
_TYPES: Mapping[str, type] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "boolean": bool,
    "null": type(None),
}


def parse_body(content: bytes, name: str) -> dict[str, Any]:
    """The object in a body, by the schema of that name; raises Invalid."""
    try:
        value = json.loads(
            content.decode(), object_pairs_hook=_unique, parse_constant=_refuse_constant
        )
    except UnicodeDecodeError:
        raise Invalid("the body is no UTF-8, expected JSON") from None
    except RecursionError:
        raise Invalid("the body is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise Invalid(f"the body is no JSON: {error}") from None
    except ValueError:
        raise Invalid("the body has a number of too many digits") from None
    problems = problems_of(value, SCHEMAS[name])
    if problems:
        raise BodyInvalid(problems[:MAX_PROBLEMS])
    assert isinstance(value, dict), "every body's schema is an object's"
    return value


def problems_of(value: object, schema: Schema) -> list[FieldProblem]:
    """All that a schema does not allow in a value."""
    return list(_check(value, schema, ""))


def _check(value: object, schema: Schema, pointer: str) -> Iterator[FieldProblem]:
    if "$ref" in schema:
        yield from _check(value, SCHEMAS[schema["$ref"].removeprefix(_REFERENCE)], pointer)
        return
    if "anyOf" in schema:
        tried = [list(_check(value, each, pointer)) for each in schema["anyOf"]]
        if all(tried):
            yield from tried[0]
        return
    wanted = schema["type"]
    types = [wanted] if isinstance(wanted, str) else wanted
    # By the exact type: True is no integer.
    if type(value) not in [_TYPES[each] for each in types]:
        yield FieldProblem(pointer, f"found {_shown(value)}, expected {' or '.join(types)}")
        return
    match value:
        case dict():
            yield from _check_members(value, schema, pointer)
        case list():
            yield from _check_items(value, schema, pointer)
        case str():
            yield from _check_text(value, schema, pointer)
        case int():
            low, high = schema.get("minimum", value), schema.get("maximum", value)
            if not low <= value <= high:
                yield FieldProblem(pointer, f"found {value}, expected {low} to {high}")


def _check_members(
    value: dict[str, object], schema: Schema, pointer: str
) -> Iterator[FieldProblem]:
    members = schema["properties"]
    for name in value.keys() - members.keys():
        known = ", ".join(members) or "none"
        yield FieldProblem(
            pointer, f"found the unknown member {quoted(name)}, expected one of {known}"
        )
    for name in schema.get("required", ()):
        if name not in value:
            yield FieldProblem(f"{pointer}/{name}", "found nothing, expected a value")
    for name, member in members.items():
        if name in value:
            yield from _check(value[name], member, f"{pointer}/{name}")


def _check_items(value: list[object], schema: Schema, pointer: str) -> Iterator[FieldProblem]:
    least, most = schema.get("minItems", 0), schema.get("maxItems", len(value))
    if not least <= len(value) <= most:
        yield FieldProblem(pointer, f"found {len(value)} items, expected {least} to {most}")
    for place, item in enumerate(value):
        yield from _check(item, schema["items"], f"{pointer}/{place}")


def _check_text(value: str, schema: Schema, pointer: str) -> Iterator[FieldProblem]:
    if any("\ud800" <= character <= "\udfff" for character in value):
        yield FieldProblem(pointer, "found half of a surrogate pair, expected text")
    if len(value) > schema.get("maxLength", len(value)):
        most = schema["maxLength"]
        yield FieldProblem(pointer, f"found {len(value)} characters, expected at most {most}")
    if "enum" in schema and value not in schema["enum"]:
        yield FieldProblem(
            pointer, f"found {quoted(value)}, expected one of {', '.join(schema['enum'])}"
        )


def _shown(value: object) -> str:
    return next(name for name, kind in [*_TYPES.items(), ("number", float)] if type(value) is kind)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Invalid(f"the body has the member {quoted(twice)} twice, expected once")
    return found


def _refuse_constant(text: str) -> object:
    raise Invalid(f"the body has {text}, expected JSON")
