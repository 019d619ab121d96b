import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci.document import MAX_VALUES, InvalidDocument, json_type, parse_document, parse_json

integers = st.integers(-(2**63) + 1, 2**63 - 1)
texts = st.text(st.characters(codec="utf-8"), max_size=6)
values = st.recursive(
    st.none() | st.booleans() | integers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(texts, values, max_size=4), st.booleans())
def test_a_document_survives_the_wire(document: dict[str, object], ascii_only: bool) -> None:
    content = json.dumps(document, ensure_ascii=ascii_only).encode()

    assert parse_document(content) == document


@given(st.binary(max_size=40))
def test_any_bytes_are_a_document_or_are_refused(content: bytes) -> None:
    try:
        assert isinstance(parse_document(content), dict)
    except InvalidDocument as refusal:
        assert str(refusal)


def test_kinds_have_words() -> None:
    values: list[object] = [{}, [], "", 1, 1.5, True, None]

    words = [json_type(value) for value in values]

    assert words[:3] == ["an object", "an array", "a string"]
    assert words[3:] == ["a whole number", "a number", "a boolean", "null"]


@pytest.mark.parametrize(
    "unit", [b"[]", b"{}", b'{"":0}', b"1.5", b'"aa"', b"[" * 900 + b"]" * 900]
)
def test_a_document_of_nothing_but_structure_is_refused_unread(unit: bytes) -> None:
    content = b'{"x":[' + b",".join([unit] * (4 * 1024 * 1024 // (len(unit) + 1))) + b"]}"

    with pytest.raises(InvalidDocument, match=f"more than {MAX_VALUES} commas"):
        parse_document(content)


def test_a_long_text_is_no_structure() -> None:
    content = json.dumps({"x": "y" * 4_000_000}).encode()

    assert len(str(parse_document(content)["x"])) == 4_000_000


@given(st.text(max_size=40))
def test_any_text_is_json_that_can_be_encoded_again_or_is_refused(text: str) -> None:
    try:
        json.dumps(parse_json(text), ensure_ascii=False).encode()
    except InvalidDocument as refusal:
        assert str(refusal)


def test_other_programs_may_repeat_keys_and_write_nan() -> None:
    assert parse_json('{"a": 1, "a": [2], "b": "\\ud83d\\ude00"}') == {"a": [2], "b": "\U0001f600"}
    assert str(parse_json("NaN")) == "nan"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[" * 200_000, "nested too deeply"),
        ('{"x":"\\ud800"}', "half of a surrogate pair"),
        ('{"\\udfff":1}', "half of a surrogate pair"),
        ("1" * 5000, "not JSON"),
        ("{", "not JSON"),
    ],
)
def test_json_that_could_not_be_encoded_again_is_refused(text: str, reason: str) -> None:
    with pytest.raises(InvalidDocument, match=reason):
        parse_json(text)


def test_at_every_depth_a_text_is_parsed_or_refused() -> None:
    """Near the limit some documents can be parsed, and not be encoded."""
    for depth in range(800, 1000):
        with suppress(InvalidDocument):
            parse_json("[" * depth + '"\\ud83d\\ude00"' + "]" * depth)
