"""Functions of templates, beside what Go prints."""

from typing import Any

import pytest

from runner.cli.template_functions import FUNCTIONS, format_value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "<no value>"),
        (True, "true"),
        (False, "false"),
        (0, "0"),
        ("", ""),
        ([], "[]"),
        (["a", ["b", None]], "[a [b <no value>]]"),
        ({"b": 1, "a": {"c": True}}, "map[a:map[c:true] b:1]"),
    ],
)
def test_values_are_printed_as_go_prints_them(value: Any, text: str) -> None:
    assert format_value(value) == text


@pytest.mark.parametrize(
    ("name", "arguments", "result"),
    [
        ("eq", (1, 2, 1), True),
        ("ne", (1, 1), False),
        ("not", ("",), True),
        ("and", ("a", "", "b"), ""),
        ("and", ("a", "b"), "b"),
        ("or", ("", "a", "b"), "a"),
        ("or", ("", 0), 0),
        ("index", ({"a": ["x", "y"]}, "a", 1), "y"),
        ("index", ({}, "absent"), ""),
        ("join", (None, ","), ""),
        ("json", ({"a": "ü"},), '{"a":"ü"}'),
        ("len", (None,), 0),
        ("println", ("a", True), "a true\n"),
        ("slice", ("abcdef", 2), "cdef"),
        ("slice", ("abcdef", 1, 3), "bc"),
        ("split", ("a,b", ","), ["a", "b"]),
        ("title", ("one two",), "One Two"),
    ],
)
def test_a_function_does_as_gos(name: str, arguments: tuple[Any, ...], result: object) -> None:
    assert FUNCTIONS[name](*arguments) == result
