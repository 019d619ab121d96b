"""Typed fields of a document: null is unset, another type is refused by the field's name."""

import pytest

from runner.errors import BadRequest
from runner.schema import fields


def test_absent_and_null_are_the_zero_value() -> None:
    for document in ({}, {"Key": None}):
        assert fields.text(document, "Key") == ""
        assert fields.integer(document, "Key") == 0
        assert fields.boolean(document, "Key") is False
        assert fields.mapping(document, "Key") == {}
        assert fields.strings(document, "Key") == ()
        assert fields.objects(document, "Key") == []


def test_a_string_counts_as_a_list_of_one() -> None:
    assert fields.strings({"Cmd": "sh"}, "Cmd") == ("sh",)
    assert fields.strings({"Cmd": ["sh", None]}, "Cmd") == ("sh", "")


def test_another_type_is_refused() -> None:
    document = {"Memory": True, "Tty": 1, "Cmd": [1], "Labels": {"a": 1}, "Mounts": ["x"]}

    with pytest.raises(BadRequest, match="Memory: expected an integer, found True"):
        fields.integer(document, "Memory")
    with pytest.raises(BadRequest, match="Tty: expected a boolean, found 1"):
        fields.boolean(document, "Tty")
    with pytest.raises(BadRequest, match="Cmd: expected a string, found 1"):
        fields.strings(document, "Cmd")
    with pytest.raises(BadRequest, match="a: expected a string, found 1"):
        fields.string_map(document, "Labels")
    with pytest.raises(BadRequest, match="Mounts: expected an object, found 'x'"):
        fields.objects(document, "Mounts")


def test_a_nul_and_a_number_beyond_64_bits_are_refused() -> None:
    with pytest.raises(BadRequest, match="contains a NUL character"):
        fields.text({"Image": "a\0b"}, "Image")
    assert fields.integer({"Memory": 2**63 - 1}, "Memory") == 2**63 - 1
    with pytest.raises(BadRequest, match="expected a number of 64 bits"):
        fields.integer({"Memory": 2**63}, "Memory")


@pytest.mark.parametrize("value", [None, "", 0, False, [], {}, {"a": {"b": None}}])
def test_an_unknown_field_with_its_zero_value_is_ignored(value: object) -> None:
    fields.refuse_unknown({"New": value, "Known": 1}, ("Known",))


@pytest.mark.parametrize("value", ["x", 1, True, [0], {"a": {"b": 1}}])
def test_an_unknown_field_that_is_set_is_refused_by_its_path(value: object) -> None:
    with pytest.raises(BadRequest, match=r"HostConfig\.New is not supported"):
        fields.refuse_unknown({"New": value}, ("Known",), "HostConfig.")
